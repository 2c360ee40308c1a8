"""How scores are computed, behind one interface."""

from ganprune.evaluation.interface import SIDES, Evaluator, Scores, Side
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator

__all__ = ["SIDES", "EvaluationSettings", "Evaluator", "LocalEvaluator", "Scores", "Side"]
