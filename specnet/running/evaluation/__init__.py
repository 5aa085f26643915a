"""How good a trained model is: on each part of the split, beside baselines, and how far chance goes."""

from specnet.running.evaluation.comparison import Comparison
from specnet.running.evaluation.evaluation import SPLITS, Evaluation, Metrics, evaluate_run

__all__ = ["SPLITS", "Comparison", "Evaluation", "Metrics", "evaluate_run"]
