"""How often a verdict is wrong about a model that is as good as its baselines: `python -m tests.benchmarks.verdicts`.

    python -m tests.benchmarks.verdicts                          20 000 draws at 60, 200 and 1 000 rows
    python -m tests.benchmarks.verdicts --draws 2000 --rows 60

In each draw, a model and three baselines predict the same rows: the logit of the probability that is true of a row,
times a slope, with noise of their own. All four have the same distribution, so that none is better, in loss or
accuracy; a constant is beside them. The outcome is that of `headline.comparison`. Its standard errors are those of row
differences, to which those of resamples converge. The exit status is 1 if a verdict other than "no clear difference"
is given in more than 6 % of the draws.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from specnet.report.pages.headline import comparison
from specnet.running.evaluation.paired_tests import p_value

ROWS, DRAWS, MAX_FALSE = (60, 200, 1_000), 20_000, 0.06
NAMES = ("model", "linear", "neighbours", "trees")
SPREAD, NOISE, SLOPE = 1.5, 0.7, 0.9


def evaluations(rows: int, draws: int, generator: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield the parts of metrics.json that decide, of draws in which the model is as good as all but the constant."""
    for _ in range(draws):
        logit = SPREAD * generator.standard_normal(rows)
        target = generator.random(rows) < 1 / (1 + np.exp(-logit))
        logits = SLOPE * (logit + NOISE * generator.standard_normal((len(NAMES), rows)))
        logits = dict(zip(NAMES, logits, strict=True)) | {"constant": np.zeros(rows)}
        losses = {name: np.logaddexp(0, np.where(target, -each, each)) for name, each in logits.items()}
        right = {name: (each > 0) == target for name, each in logits.items()}
        metrics = {name: {"loss": losses[name].mean(), "accuracy": right[name].mean()} for name in logits}
        gains = {}
        for name in logits:
            if name != "model":
                gains[name] = {
                    "loss": gain("loss", losses[name] - losses["model"], right["model"], right[name]),
                    "accuracy": gain("accuracy", right["model"] * 1.0 - right[name], right["model"], right[name]),
                }
        baselines = {name: {"test": metrics[name]} for name in gains}
        yield {"test": metrics["model"], "baselines": baselines, "gains": gains}


def gain(name: str, differences: np.ndarray, ours: np.ndarray, its: np.ndarray) -> dict[str, float]:
    """Return a gain as metrics.json has it, from the differences of the rows and from the rows that are right."""
    rows, value = len(differences), float(differences.mean())
    error = float(differences.std()) / math.sqrt(rows)
    drawn = np.array([-error, error]) / math.sqrt(2)  # as resamples: with this standard deviation
    both = (SimpleNamespace(target=np.ones(rows, bool), prediction=each, weight=None) for each in (ours, its))
    answers: list[Any] = [Sized(each) for each in both]
    p = p_value(name, value, drawn, rows, *answers)
    return {"value": value, "low": value - 1.96 * error, "high": value + 1.96 * error, "p_value": p}


class Sized(SimpleNamespace):
    """Predictions with a number of rows."""

    def __init__(self, answers: SimpleNamespace) -> None:
        super().__init__(**vars(answers))

    def __len__(self) -> int:
        return len(self.target)


def false_verdicts(rows: int, draws: int, seed: int = 0) -> float:
    """Return the fraction of draws with a verdict that one of equally good predictors is better."""
    outcomes = Counter(comparison(each)[0] for each in evaluations(rows, draws, np.random.default_rng([seed, rows])))
    return 1 - outcomes[0] / draws


def main() -> int:
    """Print the fraction of false verdicts for each number of rows, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    worst = 0.0
    for rows in options.rows:
        found = false_verdicts(rows, options.draws)
        worst = max(worst, found)
        print(f"{rows:>6} rows  {100 * found:.1f} % false verdicts in {options.draws} draws", flush=True)
    return int(worst > MAX_FALSE)


if __name__ == "__main__":
    sys.exit(main())
