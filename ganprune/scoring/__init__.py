"""Scores of many individuals, behind one interface.

scores.py       `Scorer`, what it answers, and the memory of what was computed
local.py        in this process: slim networks, and Eq. 4-6 of what they draw
originals.py    what the originals make of the pictures, kept on the disk
memory.py       fewer pictures a pass where memory runs out
tuning.py       individuals that are fine-tuned before they are scored
worker.py       the same in another process
pool.py         `PoolScorer` hands individuals out to the workers of a `Pool`
processes.py    a pool of processes on this machine
cluster.py      a pool of actors on a Ray cluster; how it is joined
"""

from ganprune.scoring.cluster import RayPool, checked_address, cluster_workers
from ganprune.scoring.local import LocalScorer, ScoringInputs, ScoringSettings
from ganprune.scoring.pool import Pool, PoolScorer
from ganprune.scoring.processes import ProcessPool
from ganprune.scoring.scores import Scorer, Scores
from ganprune.scoring.tuning import FineTuner, tuning_pictures

__all__ = [
    "FineTuner",
    "LocalScorer",
    "Pool",
    "PoolScorer",
    "ProcessPool",
    "RayPool",
    "Scorer",
    "Scores",
    "ScoringInputs",
    "ScoringSettings",
    "checked_address",
    "cluster_workers",
    "tuning_pictures",
]
