"""The stages of a compression: each is handed the `Job`, and leaves files in its run folder.

A stage that was finished by an earlier call is not done again; one that was interrupted goes on.

job.py          what all stages are handed                        searching.py   Algorithm 1
setting_up.py   device, networks that are needed, pictures        refitting.py   least squares
cutting.py      slim networks and their files                     family.py      fronts of all sizes
training.py     recovery of missing networks, fine-tuning         sequence.py    refit, fine-tune, write
predicting.py   tables for a target in milliseconds               showing.py     pictures before and after
benching.py     ONNX files against their originals                reporting.py   the page of a run
racing.py       the best few individuals, trained for a while     sizing.py      from quality to a speed-up
"""

from ganprune.stages.cutting import rebuild_both, write_both
from ganprune.stages.job import Job
from ganprune.stages.refitting import refit_both
from ganprune.stages.searching import check_target, layouts, picture_hash, search
from ganprune.stages.sequence import finished_networks
from ganprune.stages.setting_up import Resolved, needed_domains, needed_networks, search_pictures
from ganprune.stages.training import RECOVERED, fine_tune, recover, tuner_for

__all__ = [
    "RECOVERED",
    "Job",
    "Resolved",
    "check_target",
    "fine_tune",
    "finished_networks",
    "layouts",
    "needed_domains",
    "needed_networks",
    "picture_hash",
    "rebuild_both",
    "recover",
    "refit_both",
    "search",
    "search_pictures",
    "tuner_for",
    "write_both",
]
