"""``--target-ms``: the tables that milliseconds are predicted with, and how true a prediction was."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from ganprune.bench.machine import MachineFacts
from ganprune.bench.report import Prediction, Timed, TimedNetwork
from ganprune.channels import graph_of
from ganprune.errors import InputError
from ganprune.exporter import Exporter
from ganprune.onnx_files.cost import read_onnx
from ganprune.pruning.latency import LatencyTable, predicted
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS, Domain
from ganprune.storage.files import write_atomically
from ganprune.storage.plain import parse_json, read_json, sound

TABLES = "latency.json"
"""In a run folder: the tables that its search went by, one for each generator that evolves."""
MOST_OFF = 0.1  # a prediction that is off by a larger share of the measured time is warned of


Tables = Mapping[Domain, LatencyTable]


def tables_for(
    generators: Mapping[Domain, nn.Module],
    settings: CompressSettings,
    folder: Path,
    exporter: Exporter,
    reporter: Reporter,
) -> Tables | None:
    """What a run goes by: its own tables where it has begun, else this machine's, measured if need be.

    None without --target-ms. Raises `RunError` for damaged tables.
    """
    search = settings.search
    if search.target_ms is None:
        return None
    if (folder / TABLES).exists():
        return read_tables(folder / TABLES)
    size = settings.pictures.size
    return {side: exporter.latency_table(generators[side], size, reporter) for side in search.sides}


def keep_tables(run: Run, tables: Tables | None) -> None:
    """Write the tables to the run folder, once: from then on the run goes by them."""
    if tables and not (run / TABLES).exists():
        value = {f"G_{side}": table.to_json() for side, table in tables.items()}
        write_atomically(run / TABLES, json.dumps(value).encode())


def read_tables(path: Path) -> dict[Domain, LatencyTable]:
    """What `keep_tables` wrote. Raises `RunError` where it is damaged."""
    with sound(path, "delete it to measure this machine again, or use `-o` another folder"):
        value = read_json(path)
        return {side: LatencyTable.from_json(value[f"G_{side}"]) for side in DOMAINS if f"G_{side}" in value}


def known_tables(
    generators: Mapping[Domain, nn.Module], settings: CompressSettings, exporter: Exporter, reporter: Reporter
) -> Tables | None:
    """This machine's tables where it was measured before; None: it was not, or there is no --target-ms."""
    search, found = settings.search, dict[Domain, LatencyTable]()
    if search.target_ms is None:
        return None
    for side in search.sides:
        table = exporter.known_table(generators[side], settings.pictures.size)
        if table is None:
            reporter.info("--target-ms: how fast this machine is would be measured first, about a minute")
            return None
        found[side] = table
    return found


def foreseen(
    generators: Mapping[Domain, nn.Module], settings: CompressSettings, tables: Tables | None
) -> dict[str, dict[str, float | None]]:
    """For --dry-run: what each original is predicted to take, None where this machine was never measured,
    and what its slim network may. Empty without --target-ms.
    """
    search = settings.search
    if search.target_ms is None:
        return {}
    return {
        f"G_{side}": {
            "original": predicted(tables[side], graph_of(generators[side]).sizes) if tables else None,
            "target": search.constraints(side).target_ms,
        }
        for side in search.sides
    }


def compare_predictions(folder: Path, timed: Timed, reporter: Reporter) -> list[Prediction]:
    """How the slim generators' measured medians in one thread compare with what the run's tables predict.

    Nothing is said of other machines, runtimes and sizes.
    """
    if not (folder / TABLES).exists() or timed["settings"]["provider"] != "CPUExecutionProvider":
        return []
    tables = {f"G_{side}": table for side, table in read_tables(folder / TABLES).items()}
    networks = {network["name"]: network for network in timed["networks"]}
    found = list[Prediction]()
    for timing in timed["timings"]:
        name, table = timing["network"], tables.get(timing["network"])
        if table is None or timing["threads"] != 1 or not _made_for(table, timed["machine"], networks[name]):
            continue
        ms, expected = timing["median_ms"], predicted(table, _widths(folder / f"{name}.onnx"))
        found.append({"network": name, "predicted_ms": expected, "measured_ms": ms})
        line = f"{name}: {expected:.1f} ms predicted, {ms:.1f} ms measured"
        if abs(expected - ms) <= MOST_OFF * ms:
            reporter.info(line)
        else:
            reporter.warn(f"{line} (1 thread); close other programs and measure again: ganprune bench --cpu")
    return found


def _made_for(table: LatencyTable, machine: MachineFacts, network: TimedNetwork) -> bool:
    """Whether a table was measured on this machine, for pictures of the size that the file was timed at."""
    size = table.made_for.get("size")
    same_machine = all(table.made_for.get(key) == machine[key] for key in ("cpu", "onnxruntime"))
    return same_machine and (network["batch"], network["height"], network["width"]) == (1, size, size)


def _widths(path: Path) -> dict[str, int]:
    """Filters of every group of the network that a file was exported from."""
    told = {entry.key: entry.value for entry in read_onnx(path).metadata_props}
    try:
        return {group: int(width) for group, width in parse_json(told["ganprune.widths"]).items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InputError(f"{path} does not say of which widths it is; export it again") from None
