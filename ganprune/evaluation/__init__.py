"""How scores are computed, behind one interface."""

from ganprune.evaluation.actors import RayEvaluator
from ganprune.evaluation.cluster import MOST_ACTORS, checked_address, cluster_workers
from ganprune.evaluation.interface import SIDES, Evaluator, Scores, Side
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator
from ganprune.evaluation.tuning import FineTuner, tuning_pictures
from ganprune.evaluation.workers import MOST_WORKERS, WorkersEvaluator

__all__ = [
    "MOST_ACTORS",
    "MOST_WORKERS",
    "SIDES",
    "EvaluationSettings",
    "Evaluator",
    "FineTuner",
    "LocalEvaluator",
    "RayEvaluator",
    "Scores",
    "Side",
    "WorkersEvaluator",
    "checked_address",
    "cluster_workers",
    "tuning_pictures",
]
