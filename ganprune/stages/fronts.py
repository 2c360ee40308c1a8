"""One search, a family of pairs of all sizes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganprune.checkpoints import Own
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.images import DataSource
from ganprune.pruning.cost import macs, params
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import default_folder, open_run
from ganprune.settings import CompressSettings
from ganprune.stages import finished_networks, rebuild_both, search
from ganprune.stages.family import folder_names, pair_within, write_front
from ganprune.stages.preparing import prepare
from ganprune.stages.quality import measure_quality


def find_front(
    checkpoint: Path,
    data: DataSource | None,
    settings: CompressSettings,
    shares: Sequence[float],
    output: Path | None,
    command: str,
    reporter: Reporter = SILENT,
    own: Own = READERS_ALONE,
) -> dict[str, Any]:
    """Search for all sizes; write the fronts, and the pairs of the sizes that are asked for.

    settings: with the searcher ``front``. own: the user's modules that the networks are of. shares: of the
    originals' MACs, above 0 and at most 1. Every pair lies in a run folder of its own, points/<share>,
    fine-tuned as ``budget`` says. Returns plain values. Raises as `ganprune.compress`, and `TargetError`
    where no network is as small as a share.
    """
    prepared = prepare(checkpoint, data, settings, reporter, recovers=False, own=own)
    with prepared.opened(output or default_folder(prepared.config), command, reporter) as job:
        job.reporter.info(f"run folder: {job.run.folder}")
        state, points, size = search(job), list[dict[str, Any]](), job.settings.pictures.size
        found = write_front(job, state)
        for share, name in folder_names(tuple(shares)).items():
            point = job.in_folder(open_run(job.run / name, job.run.config, command))
            pair = pair_within(state, share, job.settings.search)
            _, slim = finished_networks(point, rebuild_both(point, pair))
            costs = {
                f"G_{side}": {
                    "macs_true": macs(net, size, size, "true"), "params": params(net),
                    "share": macs(net, size, size, "true") / macs(job.originals[side], size, size, "true"),
                }
                for side, net in slim.items()
            }  # fmt: skip
            quality = measure_quality(point, slim)
            points.append(
                {"share": share, "folder": str(point.run.folder), "networks": costs, "quality": quality}
            )
    return {"run": str(job.run.folder), "front": found["sides"], "points": points}
