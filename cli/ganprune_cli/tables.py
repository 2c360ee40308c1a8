"""Tables of more than one command."""

from collections.abc import Sequence
from typing import Any

from ganprune.bench import in_threads
from ganprune.plan import Plan
from ganprune.settings import CompressSettings
from ganprune_cli.console import duration, print_table


def print_bench(timed: dict[str, Any], markdown: bool, every: bool = False) -> None:
    """The tables of a measurement; ``every``: how the times are spread too."""
    print(f"{timed['header']}\n")
    for table in timed["tables"] if every else timed["tables"][:2]:
        slim = [i for i, row in enumerate(table["rows"]) if not row[0].startswith("original")]
        print_table(table["title"], table["headings"], table["rows"], markdown=markdown, better=slim)
        print()
    for sentence in timed["sentences"]:
        print(sentence)


def print_export(files: Sequence[dict[str, Any]], markdown: bool) -> None:
    """One row a file that was written and verified."""
    headings = (
        "file",
        "MiB",
        "operators before",
        "after onnxsim",
        "largest difference to PyTorch",
        "pictures",
    )
    rows = [
        (
            file["path"],
            f"{file['file_bytes'] / 2**20:.2f}",
            str(file["nodes_before"]),
            str(file["nodes_after"]),
            f"{file['max_abs']:.1e} (allowed {file['tolerance']:g})",
            str(file["pictures"]),
        )
        for file in files
    ]
    print_table("Exported and verified in ONNX Runtime", headings, rows, markdown=markdown)


def print_plan(sketch: Plan, settings: CompressSettings, missing: Sequence[str], markdown: bool) -> None:
    """What --dry-run shows; ``missing``: networks that the checkpoint lacks."""
    search, rows = settings.search, list[tuple[str, str]]()
    if missing and settings.recovery.recover_discriminators:
        rows.append(("recovery", f"{', '.join(missing)} trained for {settings.recovery.recover_budget}"))
    rows += [
        ("search", f"K = {search.population}, T = {search.generations}: {sketch.individuals:,} individuals"),
        ("scored on", f"{sketch.pictures} pictures a domain at {sketch.size}×{sketch.size}"),
        ("passes", f"at most {sketch.passes:,} of one picture through a network"),
        ("computed on", f"{sketch.device}, {sketch.precision}, {in_threads(sketch.threads)}"),
    ]
    for name, share in sketch.target_macs.items():
        whole = sketch.original_macs[name] / 1e9
        kept = "γ alone decides" if share is None else f"at most {share * whole:.2f} G ({share:.1%})"
        rows.append((f"{name}, true MACs", f"{whole:.2f} G → {kept}"))
    budget = settings.tuning.budget
    together = "both generators together" if len(search.sides) == 2 else f"G_{search.sides[0]} alone"
    rows.append(("fine-tuning", "none" if budget == "0" else f"{budget}, {together}"))
    rows.append(("time of the search", f"about {duration(sketch.seconds)}"))
    print_table("Plan; nothing was written", ("step", "what"), rows, markdown=markdown, left=(0, 1))
