"""How scores are computed, behind one interface."""

from ganprune.evaluation.interface import SIDES, Evaluator, Scores, Side
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator
from ganprune.evaluation.tuning import FineTuner, tuning_pictures
from ganprune.evaluation.workers import MOST_WORKERS, WorkersEvaluator

__all__ = [
    "MOST_WORKERS",
    "SIDES",
    "EvaluationSettings",
    "Evaluator",
    "FineTuner",
    "LocalEvaluator",
    "Scores",
    "Side",
    "WorkersEvaluator",
    "tuning_pictures",
]
