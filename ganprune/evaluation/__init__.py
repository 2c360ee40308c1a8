"""How scores are computed, behind one interface."""

from ganprune.evaluation.actors import RayEvaluator
from ganprune.evaluation.cluster import MOST_ACTORS, checked_address, cluster_workers
from ganprune.evaluation.interface import Evaluator, Scores
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator
from ganprune.evaluation.tuning import FineTuner, tuning_pictures
from ganprune.evaluation.workers import MOST_WORKERS, WorkersEvaluator
from ganprune.images.sources import DOMAINS, Domain

__all__ = [
    "DOMAINS",
    "MOST_ACTORS",
    "MOST_WORKERS",
    "Domain",
    "EvaluationSettings",
    "Evaluator",
    "FineTuner",
    "LocalEvaluator",
    "RayEvaluator",
    "Scores",
    "WorkersEvaluator",
    "checked_address",
    "cluster_workers",
    "tuning_pictures",
]
