"""The stages of a compression, each one call from networks and pictures to files in a run folder.

A stage that was finished by an earlier call is not done again; one that was interrupted goes on.

setting_up.py   device, networks that are needed, pictures        searching.py   Algorithm 1
cutting.py      slim networks and their files                     refitting.py   least squares
training.py     recovery of missing networks, fine-tuning         family.py      fronts of all sizes
"""

from ganprune.stages.cutting import rebuild_both, write_both
from ganprune.stages.refitting import refit_both
from ganprune.stages.searching import check_target, layouts, picture_hash, search
from ganprune.stages.setting_up import Resolved, needed_domains, needed_networks, search_pictures
from ganprune.stages.training import RECOVERED, fine_tune, recover, tuner_for

__all__ = [
    "RECOVERED",
    "Resolved",
    "check_target",
    "fine_tune",
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
