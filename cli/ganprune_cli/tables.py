"""Tables of more than one command."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from ganprune.bench.report import Timed
from ganprune.compression import Foreseen
from ganprune.metrics.telling import Quality, quality_advice, quality_table
from ganprune.plan import STAGES
from ganprune.reporting import duration
from ganprune.storage.tables import in_threads
from ganprune_cli.console import print_table, say

if TYPE_CHECKING:
    from ganprune_exporters.report import ExportedFile
    from ganprune_exporters.variants import VariantReport


def print_bench(timed: Timed, markdown: bool, every: bool = False) -> None:
    """The tables of a measurement; ``every``: how the times are spread too."""
    say(f"{timed['header']}\n")
    for table in timed["tables"]:
        if table.get("detail") and not every:
            continue
        slim = [i for i, row in enumerate(table["rows"]) if row[0] in _compared(timed)]
        print_table(table["title"], table["headings"], table["rows"], markdown=markdown, better=slim)
        say()
    for sentence in timed["sentences"]:
        say(sentence)
    if any(net.get("rewritten") for net in timed["networks"]):
        say("original_…: as PyTorch exports it; original_….rewritten: with the slim files' graph rewrites")


def print_quality(found: Quality | None, markdown: bool) -> None:
    """What quality.json holds: pictures beside those of the original, and what it comes to."""
    if found is None:
        say("how good the pictures are is not known: give the `ganprune compress` command again\n")
        return
    table = quality_table(found)
    better = [i for i, row in enumerate(table.rows) if row[-1] != "–"]
    print_table(table.title, table.headings, table.rows, markdown=markdown, better=better,
                left=(0, len(table.headings) - 1))  # fmt: skip
    advice = quality_advice(found)
    say(f"{advice}\n" if advice else "")


def _compared(timed: Timed) -> set[str]:
    """Names of the networks that an original is compared with."""
    return {net["name"] for net in timed["networks"] if net["against"] and not net.get("original")}


def print_export(
    files: "Sequence[ExportedFile]", markdown: bool, variants: "Sequence[VariantReport]" = ()
) -> None:
    """One row a file that was written and verified, and one a variant that stands beside it."""
    rows = [
        (
            Path(file["path"]).name,
            f"{file['file_bytes'] / 2**20:.2f}",
            f"{file['nodes_before']} → {file['nodes_after']}",
            f"{file['max_abs']:.1e}",
            ", ".join(file["rewrites"]) or "none",
        )
        for file in files
    ]
    headings = ("file", "MiB", "operators", "largest difference", "rewrites")
    folders, pictures, allowed = (
        ", ".join(dict.fromkeys(told))
        for told in zip(*((str(Path(f["path"]).parent), str(f["pictures"]), f"{f['tolerance']:.1g}")
                          for f in files), strict=True)
    )  # fmt: skip
    title = f"{folders}: verified against PyTorch on {pictures} pictures; allowed difference: {allowed}"
    print_table(title, headings, rows, markdown=markdown, left=(0, 4))
    measured = [(file, step) for file in files for step in file["passes"] if step["speedup"] is not None]
    if measured:
        rows = [
            (Path(file["path"]).name, p["name"], f"{p['speedup']:.2f}×", p["note"]) for file, p in measured
        ]
        headings = ("file", "rewrite", "speed with it", "what it did")
        print_table("Measured on this machine", headings, rows, markdown=markdown, left=(0, 1, 3))
    if not variants:
        return
    rows = [
        (
            v.path.name,
            f"{v.file_bytes / 2**20:.2f} of {v.float_bytes / 2**20:.2f}",
            f"{v.mean_abs:.4f} (limit {v.limit:g})",
            "∞" if v.psnr == inf else f"{v.psnr:.1f}",
            f"{v.speedup.value:.2f}×",
            f"{len(v.in_float)} of {v.layers}" if v.kind == "int8" else "all",
            v.verdict,
        )
        for v in variants
    ]
    headings = ("file", "MiB", "mean distance", "PSNR, dB", "speed", "layers in float", "verdict")
    title = "Variants, against the float32 file in one thread"
    print_table(title, headings, rows, markdown=markdown, left=(0, 6))


def print_plan(found: Foreseen, markdown: bool) -> None:
    """What --dry-run shows: what would be made, then the stages with a time each, and their total."""
    sketch, settings = found.plan, found.settings
    search, rows = settings.search, list[tuple[str, str]]()
    several = f" in each of {sketch.workers} workers" if sketch.workers > 1 else ""
    if settings.compute.ray is not None:
        several = f", {sketch.workers} workers of a Ray cluster"
    if found.recovered:
        trained = f"{', '.join(found.recovered)} trained for {settings.recovery.recover_budget}"
        rows.append(("recovery", trained))
    rows += [
        (
            "search",
            f"population {search.population}, {search.generations} generations: "
            f"{sketch.individuals:,} individuals",
        ),
        ("scored on", f"{sketch.pictures} pictures a domain at {sketch.scored_size}×{sketch.scored_size}"),
        ("computed on", f"{sketch.device}, {sketch.precision}, {in_threads(sketch.threads)}" + several),
    ]
    for name, share in sketch.target_macs.items():
        whole = sketch.original_macs_true[name] / 1e9
        others = search.target_params or search.target_ms or search.speed_up or search.quality
        free = "as the other targets allow" if others else "γ alone decides"
        kept = free if share is None else f"at most {share * whole:.2f} G ({share:.1%})"
        rows.append((f"{name}, true MACs", f"{whole:.2f} G → {kept}"))
    for side in search.sides:
        if (times := search.constraints(side).speed_up) is not None:
            rows.append((f"G_{side}, speed", f"about {times:g} times the original's, by a count of the work"))
    for side, share in zip(search.sides, search.target_params or (), strict=False):
        rows.append((f"G_{side}, parameters", f"at most {share:.1%}"))
    for name, ms in found.milliseconds.items():
        before = f"{ms['original']:.1f} ms" if ms["original"] else "this machine is measured first,"
        rows.append((f"{name}, milliseconds", f"{before} → at most {ms['target']:g} ms predicted"))
    budget = settings.tuning.budget
    together = "both generators together" if len(search.sides) == 2 else f"G_{search.sides[0]} alone"
    taught = "taught by the originals" if settings.tuning.recipe == "distil" else "CycleGAN's own recipe"
    rows.append(("fine-tuning", "none" if budget == "0" else f"{budget}, {together}, {taught}"))
    print_table("What would be made; nothing was written", ("step", "what"), rows, markdown=markdown,
                left=(0, 1))  # fmt: skip
    first = ("", "–", "timing this machine, for the plan", duration(sketch.timing_seconds))
    stages = [(f"{i + 1}", name, STAGES[name][0], duration(seconds))
              for i, (name, seconds) in enumerate(sketch.stages.items())]  # fmt: skip
    total = ("", "total", "on this machine as it is now" if sketch.busy else "", duration(sketch.seconds))
    print_table("Plan", ("", "stage", "what it does", "about"), [first, *stages, total], markdown=markdown,
                better=(len(stages) + 1,), left=(0, 1, 2))  # fmt: skip
    quicker = (("search", "--preset smoke, for a try"), ("fine-tune", "--budget 0, without training"),
               ("timing", "--no-bench"))  # fmt: skip
    if told := [option for stage, option in quicker if stage in sketch.stages]:
        say(f"quicker: {'; '.join(told)}; a smaller --size")
