"""Figures of a run in tables and a few words, from its JSON files."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.figures import Bar
from ganprune.images import DataSource
from ganprune.plain import fits
from ganprune.report.html import Html, joined, table, tag

QUALITY = {
    "kid": ("KID", 4), "fid_test": ("FID, test", 1), "fid_train_test": ("FID, train + test", 1),
    "as_b": ("as_b", 2), "lost": ("lost", 2), "L_DisA": ("L_DisA", 4), "L_GenA": ("L_GenA", 4),
    "L_cyc": ("L_cyc", 4),
}  # fmt: skip
"""Key of a row of evaluation.json → heading and digits."""


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
        shown = {key: how for key, how in QUALITY.items() if rows[0].get(key) is not None}
        body = [[row["pictures"], *(_figure(row, key, how[1]) for key, how in shown.items())] for row in rows]
        title = f"{part['network']}, {part['direction']}: {rows[0]['n_fakes']} test pictures"
        parts.append(table(["pictures", *(heading for heading, _ in shown.values())], body, title))
    resamples = found.get("resamples")
    sure = f"; […]: 95 %, bootstrap of {resamples}" if resamples else ""
    parts.append(tag("p", f"Features: {found['features']}{sure}. Smaller is better.", class_="note"))
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
    """What the search ended with."""
    last, rows = lines[-1], list[tuple[str, ...]]()
    for side in ("A", "B"):
        if side in last:
            best = last[side]
            figures = (f"{float(best[key]):.4g}" for key in ("fitness", "N", "macs", "L_DisA", "L_cyc"))
            rows.append((f"G_{side}", *figures))
    headings = ("best genome", "fitness F", "kept weights N", "kept MACs", "L_DisA", "L_cyc")
    return table(headings, rows, f"At the end, generation {last['generation']}, before fine-tuning")


def _figure(row: Mapping[str, Any], key: str, digits: int) -> str:
    if row.get(key) is None:
        return "–"
    ends = row.get(f"{key}_interval")
    interval = ""
    if ends is not None and None not in ends and ends[0] != ends[1]:
        interval = f" [{float(ends[0]):.{digits}f}, {float(ends[1]):.{digits}f}]"
    return f"{float(row[key]):.{digits}f}{interval}"


def _spelled(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
