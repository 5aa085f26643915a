"""Precision, recall and what is made of them: of the second class, or averaged over the classes.

The averages are scikit-learn's: ``macro`` is the mean over the classes, ``micro`` counts the rows of all classes
together, ``weighted`` is the mean weighted by the classes' rows, ``samples`` is the mean over rows, each with several
0/1 outputs.
"""

from typing import Any, ClassVar, Literal

from pydantic import create_model

from specnet.parts.metrics.base import BINARY, LABELS, MULTILABEL, Metric, Task

__all__ = [
    "F1",
    "F1Macro",
    "F1Micro",
    "F1Samples",
    "F1Weighted",
    "Jaccard",
    "JaccardMacro",
    "JaccardMicro",
    "JaccardSamples",
    "JaccardWeighted",
    "Precision",
    "PrecisionMacro",
    "PrecisionMicro",
    "PrecisionSamples",
    "PrecisionWeighted",
    "Recall",
    "RecallMacro",
    "RecallMicro",
    "RecallSamples",
    "RecallWeighted",
]

AVERAGES: dict[str, tuple[frozenset[Task], str]] = {
    "binary": (BINARY, "of the second class"),
    "macro": (LABELS, "the mean over classes"),
    "micro": (LABELS, "all classes together"),
    "weighted": (LABELS, "classes weighted by rows"),
    "samples": (MULTILABEL, "the mean over rows"),
}
"""For each of scikit-learn's averages where it makes sense, and how a description ends."""


class Averaged(Metric):
    """A metric of one class against the rest, 0 where it is not defined."""

    average: ClassVar[str]

    def keywords(self) -> dict[str, Any]:
        return {"average": self.average, "zero_division": 0.0}


def _averaged(name: str, meaning: str) -> list[type[Averaged]]:
    """The metrics of a name, one with each average: as class statements, each with a ``type`` of its own, would."""
    made: list[type[Averaged]] = []
    for average, (task, ending) in AVERAGES.items():
        own = name if average == "binary" else f"{name}_{average}"
        title, description = "".join(map(str.capitalize, own.split("_"))), f"{meaning}; {ending}."
        only: Any = Literal[own]
        metric = create_model(title, __base__=Averaged, __doc__=description, __module__=__name__, type=(only, own))
        metric.task, metric.function, metric.average = task, f"{name}_score", average
        made.append(metric)
    return made


Precision, PrecisionMacro, PrecisionMicro, PrecisionWeighted, PrecisionSamples = _averaged(
    "precision", "Fraction of the rows predicted as a class that belong to it"
)
Recall, RecallMacro, RecallMicro, RecallWeighted, RecallSamples = _averaged(
    "recall", "Fraction of the rows of a class that are predicted as it"
)
F1, F1Macro, F1Micro, F1Weighted, F1Samples = _averaged("f1", "2·precision·recall / (precision + recall)")
Jaccard, JaccardMacro, JaccardMicro, JaccardWeighted, JaccardSamples = _averaged(
    "jaccard", "Rows in both the class and its prediction, divided by rows in either"
)
