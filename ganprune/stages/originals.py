"""The networks that a run compressed, from where they were."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ganprune.checkpoints import NET_NAMES, NetName, Own, Quartet, load_quartet
from ganprune.errors import GanpruneError, RunError
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages.job import recovered
from ganprune.stages.preparing import quartet_for
from ganprune.stages.training import RECOVERED
from ganprune.storage.files import sha256


def originals_of(
    run: Run, settings: CompressSettings, own: Own, names: Collection[NetName] = NET_NAMES
) -> Quartet:
    """What a run compressed, with the networks that it recovered; those of ``names`` are checked.

    Raises `RunError` where one that the run had is missing, or its file is another than it was.
    """
    config = run.config
    path, known = Path(config["checkpoint"]), config["sha256"]
    needed = {*known, *(f"G_{side}" for side in settings.search.sides)}.intersection(names)
    try:
        quartet = quartet_for(settings, path, own)
        trained = run / RECOVERED / "latest_net_G_A.pth"
        if trained.is_file():
            lacking = {name: getattr(load_quartet(trained), name) for name in recovered(settings, quartet)}
            quartet = replace(quartet, **lacking)
        quartet.require(*filter(needed.__contains__, NET_NAMES))
    except GanpruneError as error:
        raise RunError(
            f"the run's original networks are needed and were not found at {path}: {error}"
        ) from None
    for name, file in quartet.files.items():
        if name in needed and name in known and sha256(file) != known[name]:
            raise RunError(
                f"the networks at {path} have changed since the run was made; put them back, "
                "or start a new run"
            )
    return quartet
