"""``front``: one search, a family of pairs."""

from pathlib import Path
from typing import Any

from ganprune.coevolution import State
from ganprune.cost import macs, params
from ganprune.evaluation import Side
from ganprune.networks import Generator
from ganprune.reporting import Reporter
from ganprune.runs import Run, default_folder, open_run
from ganprune.stages import (
    Resolved,
    fine_tune,
    rebuild_both,
    refit_both,
    search,
    search_pictures,
    tuner_for,
    write_both,
)
from ganprune.stages.family import folder_names, pair_within, write_front
from ganprune_cli.console import print_table, say
from ganprune_cli.job import Job


def find_front(
    job: Job, output: Path | None, shares: tuple[float, ...], command: str, reporter: Reporter
) -> dict[str, Any]:
    """Search for all sizes; write the fronts, and the pairs of the sizes that are asked for.

    Every pair lies in a run folder of its own, points/<share>, fine-tuned as ``budget`` says.
    """
    run = open_run(output or default_folder(job.config), job.config, command, job.settings.given)
    with run.locked():
        reporter.info(f"run folder: {run.folder}")
        job = job.in_run(run)
        resolved, settings = job.resolved, job.settings
        pictures = search_pictures(job.folders, settings, reporter)
        tuner = tuner_for(job.judges, job.folders, settings, resolved)
        state = search(run, job.generators, job.judges, pictures, settings, resolved, reporter, tuner)
        found = write_front(run, state, settings.search)
        points = list[dict[str, Any]]()
        for share, name in folder_names(shares).items():
            folder = open_run(run / name, run.config, command)
            slim = _made(folder, pair_within(state, share, settings.search), job, resolved, reporter)
            points.append({"share": share, "folder": str(folder.folder), "networks": _costs(slim, job)})
    return {"run": str(run.folder), "front": found["sides"], "points": points}


def _made(run: Run, state: State, job: Job, resolved: Resolved, reporter: Reporter) -> dict[Side, Generator]:
    settings = job.settings
    pictures = search_pictures(job.folders, settings)
    pruned = rebuild_both(run, job.generators, state, pictures, settings)
    refitted = refit_both(run, pruned, job.generators, job.folders, settings, resolved, reporter)
    slim = fine_tune(run, refitted, job.generators, job.judges, job.folders, settings, resolved, reporter)
    write_both(run, slim, {side: job.config["sha256"][f"G_{side}"] for side in slim})
    return slim


def _costs(slim: dict[Side, Generator], job: Job) -> dict[str, dict[str, float]]:
    size = job.settings.pictures.size
    return {
        f"G_{side}": {"macs_true": macs(net, size, size, "true"), "params": params(net)}
        for side, net in slim.items()
    }


def print_front(found: dict[str, Any], markdown: bool) -> None:
    """What `find_front` returns: a table a side, and the pairs."""
    for side, members in found["front"].items():
        rows = [
            tuple(f"{member[key]:.4g}" for key in ("macs", "losses", "L_DisA", "L_cyc", "N"))
            for member in members
        ]
        headings = ("share of MACs", "losses", "L_DisA", "L_cyc", "N")
        print_table(f"G_{side}: no network found is both smaller and nearer", headings, rows,
                    markdown=markdown, left=())  # fmt: skip
        say()
    rows = [
        (point["folder"], name, f"{net['macs_true'] / 1e9:.2f}", f"{net['params'] / 1e6:.3f}")
        for point in found["points"]
        for name, net in point["networks"].items()
    ]
    if rows:
        headings = ("folder", "network", "MACs, G", "params, M")
        print_table("Slim generators", headings, rows, markdown=markdown, left=(0, 1))
