"""The stages of a compression: each is handed the `Job`, and leaves files in its run folder.

A stage that was finished by an earlier call is not done again; one that was interrupted goes on.

job.py          what all stages are handed, and what it needs      preparing.py    read and fitted together
adapting.py     settings that nobody asked for                    predicting.py   a target in milliseconds
sizing.py       from quality to a speed-up                        searching.py    Algorithm 1
saved.py        where a search stands, on the disk                racing.py       the best few are trained
cutting.py      slim networks, refitted, and their files          family.py       fronts of all sizes
training.py     recovery of missing networks, fine-tuning         quality.py      pictures before and after
benching.py     ONNX files against their originals                reporting.py    the page of a run
"""

from ganprune.stages.cutting import rebuild_both, refit_both, write_both
from ganprune.stages.job import Job, Resolved, needed_domains, needed_networks, search_pictures
from ganprune.stages.searching import check_target, layouts, picture_hash, search
from ganprune.stages.training import RECOVERED, fine_tune, finished_networks, recover

__all__ = [
    "RECOVERED", "Job", "Resolved", "check_target", "fine_tune", "finished_networks", "layouts",
    "needed_domains", "needed_networks", "picture_hash", "rebuild_both", "recover", "refit_both", "search",
    "search_pictures", "write_both",
]  # fmt: skip
