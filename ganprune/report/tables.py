"""Figures of a run in tables and a few words, from its JSON files."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.figures import Bar
from ganprune.images import DataSource
from ganprune.metrics.telling import columns_of, differences, figure
from ganprune.report.html import Html, joined, table, tag
from ganprune.storage.plain import fits

BETTER = "Of as_b and PSNR more is better, of the others less."
CONTROLS = {"original": "the original itself", "inputs": "untouched input"}
"""What the best genomes are seen beside, in the words of the report."""


def bench_tables(timed: Mapping[str, Any]) -> Html:
    """The tables of bench.json; those for people who look closely are folded."""
    parts: list[Html] = []
    for part in timed["tables"]:
        if part["title"].startswith("Time by operator"):
            continue
        drawn = table(part["headings"], part["rows"], part["title"])
        parts.append(tag("details", tag("summary", part["title"]), drawn) if part.get("detail") else drawn)
    return joined(parts)


def time_bars(timed: Mapping[str, Any], threads: int) -> list[Bar]:
    """Median milliseconds a picture of every network with so many threads, and where 80 % of the runs lie."""
    return [
        Bar(
            str(row["network"]), float(row["median_ms"]), milliseconds(float(row["median_ms"])),
            float(row["p10_ms"]), float(row["p90_ms"]),
        )
        for row in timed["timings"]
        if row["threads"] == threads
    ]  # fmt: skip


def milliseconds(ms: float) -> str:
    """``2.30 ms``, ``151.7 ms``."""
    return f"{ms:.{2 if ms < 100 else 1}f} ms"


def headline(timed: Mapping[str, Any]) -> Html:
    """A card a slim generator: how much smaller and faster it is."""
    networks = {net["name"]: net for net in timed["networks"]}
    threads = min(row["threads"] for row in timed["timings"])
    cards: list[Html] = []
    for name, net in networks.items():
        before = networks.get(net["against"])
        if before is None or net.get("original"):
            continue
        row = next(row for row in timed["timings"] if (row["network"], row["threads"]) == (name, threads))
        faster = float(row["speedup"]["value"])
        fewer = float(net["theoretical_speedup"]) if net["theoretical_speedup"] else math.nan
        cards.append(
            tag(
                "div",
                tag("h3", name),
                tag("p", tag("strong", f"{faster:.2f}×"), " faster", class_="big"),
                tag("p", f"{fewer:.2f}× fewer MACs"),
                tag("p", f"{float(before['mebibytes']):.2f} → {float(net['mebibytes']):.2f} MiB"),
                class_="headline",
            )
        )
    words = f"Milliseconds in ONNX Runtime, {_threads(threads)}; MiB of float32 weights; true MACs."
    return joined([tag("div", *cards, class_="headlines"), tag("p", words, class_="note")])


def quality_tables(found: Mapping[str, Any]) -> Html:
    """What `ganprune evaluate RUN` found: a table a direction, a row a set of pictures."""
    parts: list[Html] = []
    for part in found["directions"]:
        rows = part["rows"]
        shown = columns_of(rows)
        body = [[row["pictures"], *(figure(row, key) for key in shown)] for row in rows]
        title = f"{part['network']}, {part['direction']}: {rows[0]['n_fakes']} test pictures"
        parts.append(table(["pictures", *shown.values()], body, title))
        parts.append(tag("ul", *(tag("li", told) for told in differences(rows))))
    resamples = found.get("resamples")
    sure = f"; […]: 95 %, bootstrap of {resamples}" if resamples else ""
    parts.append(tag("p", f"Features: {found['features']}{sure}. {BETTER}", class_="note"))
    return joined(parts)


def settings_table(config: Mapping[str, Any]) -> Html:
    """What was asked for, and what auto came to."""
    facts = {f"--{key}": value for key, value in config["settings"].items()}
    facts |= {f"{key} (resolved)": value for key, value in config["resolved"].items()}
    entries = (tag("div", tag("dt", key), tag("dd", _spelled(value))) for key, value in facts.items())
    return tag("dl", *entries, class_="facts")


def provenance_tables(config: Mapping[str, Any], provenance: Mapping[str, Any]) -> Html:
    """Where everything came from: files with hashes, versions, stages with their times."""
    facts = [
        ("checkpoint", config["checkpoint"]),
        ("pictures", " ".join(map(str, DataSource.of_config(config["data"]).words()))),
    ]
    facts += [(key, provenance[key]) for key in ("created", "platform") if key in provenance]
    facts += [(f"SHA-256 of {name}", value) for name, value in config["sha256"].items()]
    parts = [table((), facts, words=2)]
    if versions := provenance.get("versions"):
        parts.append(table(("package", "version"), list(versions.items()), words=2))
    stages = provenance.get("stages", {})
    rows = [
        (name, f"{float(record['seconds']):,.1f} s", record["finished"], ", ".join(record["outputs"]))
        for name, record in stages.items()
    ]
    if rows:
        parts.append(table(("stage", "took", "finished", "files"), rows))
    warnings = provenance.get("warnings", [])
    if fits(warnings, [str]) and warnings:
        parts.append(table(("what was warned of",), [(message,) for message in warnings], words=1))
    return joined(parts)


def best_losses(lines: Sequence[Mapping[str, Any]]) -> Html:
    """What the search ended with, the original and the untouched input; and whether that one is beaten."""
    last, rows, told = lines[-1], list[tuple[str, ...]](), list[Html]()
    for side in ("A", "B"):
        if side not in last:
            continue
        name, controls = f"G_{side}", lines[0].get("controls", {}).get(side, {})
        scored = {f"{name}, best genome": last[side]}
        scored |= {f"{name}, {CONTROLS[kind]}": figures for kind, figures in controls.items()}
        for row, figures in scored.items():
            keys = ("fitness", "N", "macs", "L_DisA", "L_GenA", "L_cyc")
            rows.append((row, *(f"{float(figures[key]):.4g}" for key in keys)))
        if "inputs" in controls and math.isfinite(nothing := _losses(controls["inputs"])):
            best = _losses(last[side])
            how = "better" if best < nothing else "no better"
            verdict = f"By this score {name}'s best genome is {how} than doing nothing"
            told.append(
                tag("p", f"{verdict}: losses of {best:.4g}, the untouched input's are {nothing:.4g}.")
            )
    headings = ("", "fitness F", "kept weights N", "kept MACs", "L_DisA", "L_GenA", "L_cyc")
    drawn = table(headings, rows, f"At the end, generation {last['generation']}, before fine-tuning")
    note = (
        "Losses: what 1 / F has above N. The original and the untouched input are translated back by the "
        "original partner, a genome by the best of the other generator, where both evolve."
    )
    return joined([drawn, *told, *([tag("p", note, class_="note")] if told else [])])


def _losses(figures: Mapping[str, Any]) -> float:
    """γ (L_DisA + λ L_cyc), from the fitness; infinite where that is 0."""
    F = float(figures["fitness"])
    return 1 / F - float(figures["N"]) if F > 0 else math.inf


def _spelled(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
