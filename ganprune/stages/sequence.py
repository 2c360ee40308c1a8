"""From chosen filters to finished networks: the same after every search and every rival."""

from collections.abc import Mapping

from torch import nn

from ganprune.images.sources import Domain
from ganprune.stages.cutting import write_both
from ganprune.stages.job import Job
from ganprune.stages.refitting import refit_both
from ganprune.stages.training import fine_tune


def finished_networks(
    job: Job, pruned: Mapping[Domain, nn.Module]
) -> tuple[dict[Domain, nn.Module], dict[Domain, nn.Module]]:
    """Refit and fine-tune the slim generators as they were cut, and write them.

    Returns the refitted ones, and the same fine-tuned.
    """
    refitted = refit_both(job, pruned)
    slim = fine_tune(job, refitted)
    write_both(job, slim)
    return refitted, slim
