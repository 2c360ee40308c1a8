"""One cell in its run folder: the same way for searches and rivals, but for the choice of filters."""

from collections.abc import Mapping

from ganprune.baselines import METHODS, Method
from ganprune.comparing.cells import SEARCH, Cell
from ganprune.comparing.pruning import prune
from ganprune.evaluation import Side
from ganprune.images import PictureFolders
from ganprune.networks import Discriminator, Generator
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
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


def run_cell(
    run: Run,
    cell: Cell,
    originals: Mapping[Side, Generator],
    judges: Mapping[Side, Discriminator],
    folders: PictureFolders,
    resolved: Resolved,
    reporter: Reporter = SILENT,
    methods: Mapping[str, Method] = METHODS,
) -> dict[Side, Generator]:
    """The fine-tuned slim generators of a cell; called again, go on where it was interrupted.

    methods: rivals by name. The run folder is one of `ganprune compress` up to its ONNX files. Test pictures
    are not looked at.
    """
    settings = cell.settings
    pictures = search_pictures(folders, settings, reporter)
    if cell.method == SEARCH:
        tuner = tuner_for(judges, folders, settings, resolved)
        state = search(run, originals, judges, pictures, settings, resolved, reporter, tuner)
        pruned = rebuild_both(run, originals, state, pictures, settings)
    else:
        choose = methods[cell.method]
        pruned = prune(run, cell.method, choose, originals, pictures, settings, resolved, reporter)
    refitted = refit_both(run, pruned, originals, folders, settings, resolved, reporter)
    slim = fine_tune(run, refitted, originals, judges, folders, settings, resolved, reporter)
    write_both(run, slim, {side: run.config["sha256"][f"G_{side}"] for side in slim})
    return slim
