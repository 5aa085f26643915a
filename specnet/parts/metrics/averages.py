"""Precision, recall and what is made of them: of the second class, or averaged over the classes.

The averages are scikit-learn's: ``macro`` is the mean over the classes, ``micro`` counts the rows of all classes
together, ``weighted`` is the mean weighted by the classes' rows, ``samples`` is the mean over rows, each with several
0/1 outputs.
"""

from typing import Any, ClassVar, Literal

from specnet.parts.metrics.base import BINARY, LABELS, MULTILABEL, Metric


class Averaged(Metric):
    """A metric of one class against the rest, 0 where it is not defined."""

    average: ClassVar[Literal["binary", "macro", "micro", "samples", "weighted"]]

    def keywords(self) -> dict[str, Any]:
        return {"average": self.average, "zero_division": 0.0}


class PrecisionFamily(Averaged):
    """Share of the rows predicted to be of a class that are."""

    function = "precision_score"


class Precision(PrecisionFamily):
    """Share of the rows predicted to be of a class that are; of the second class."""

    task = BINARY
    average = "binary"
    type: Literal["precision"] = "precision"


class PrecisionMacro(PrecisionFamily):
    """Share of the rows predicted to be of a class that are; the mean over classes."""

    task = LABELS
    average = "macro"
    type: Literal["precision_macro"] = "precision_macro"


class PrecisionMicro(PrecisionFamily):
    """Share of the rows predicted to be of a class that are; all classes together."""

    task = LABELS
    average = "micro"
    type: Literal["precision_micro"] = "precision_micro"


class PrecisionWeighted(PrecisionFamily):
    """Share of the rows predicted to be of a class that are; classes weighted by rows."""

    task = LABELS
    average = "weighted"
    type: Literal["precision_weighted"] = "precision_weighted"


class PrecisionSamples(PrecisionFamily):
    """Share of the rows predicted to be of a class that are; the mean over rows."""

    task = MULTILABEL
    average = "samples"
    type: Literal["precision_samples"] = "precision_samples"


class RecallFamily(Averaged):
    """Share of a class's rows that are predicted to be."""

    function = "recall_score"


class Recall(RecallFamily):
    """Share of a class's rows that are predicted to be; of the second class."""

    task = BINARY
    average = "binary"
    type: Literal["recall"] = "recall"


class RecallMacro(RecallFamily):
    """Share of a class's rows that are predicted to be; the mean over classes."""

    task = LABELS
    average = "macro"
    type: Literal["recall_macro"] = "recall_macro"


class RecallMicro(RecallFamily):
    """Share of a class's rows that are predicted to be; all classes together."""

    task = LABELS
    average = "micro"
    type: Literal["recall_micro"] = "recall_micro"


class RecallWeighted(RecallFamily):
    """Share of a class's rows that are predicted to be; classes weighted by rows."""

    task = LABELS
    average = "weighted"
    type: Literal["recall_weighted"] = "recall_weighted"


class RecallSamples(RecallFamily):
    """Share of a class's rows that are predicted to be; the mean over rows."""

    task = MULTILABEL
    average = "samples"
    type: Literal["recall_samples"] = "recall_samples"


class F1Family(Averaged):
    """2·precision·recall / (precision + recall)."""

    function = "f1_score"


class F1(F1Family):
    """2·precision·recall / (precision + recall); of the second class."""

    task = BINARY
    average = "binary"
    type: Literal["f1"] = "f1"


class F1Macro(F1Family):
    """2·precision·recall / (precision + recall); the mean over classes."""

    task = LABELS
    average = "macro"
    type: Literal["f1_macro"] = "f1_macro"


class F1Micro(F1Family):
    """2·precision·recall / (precision + recall); all classes together."""

    task = LABELS
    average = "micro"
    type: Literal["f1_micro"] = "f1_micro"


class F1Weighted(F1Family):
    """2·precision·recall / (precision + recall); classes weighted by rows."""

    task = LABELS
    average = "weighted"
    type: Literal["f1_weighted"] = "f1_weighted"


class F1Samples(F1Family):
    """2·precision·recall / (precision + recall); the mean over rows."""

    task = MULTILABEL
    average = "samples"
    type: Literal["f1_samples"] = "f1_samples"


class JaccardFamily(Averaged):
    """Rows of a class and predicted to be, divided by those that are one or the other."""

    function = "jaccard_score"


class Jaccard(JaccardFamily):
    """Rows of a class and predicted to be, divided by those that are one or the other; of the second class."""

    task = BINARY
    average = "binary"
    type: Literal["jaccard"] = "jaccard"


class JaccardMacro(JaccardFamily):
    """Rows of a class and predicted to be, divided by those that are one or the other; the mean over classes."""

    task = LABELS
    average = "macro"
    type: Literal["jaccard_macro"] = "jaccard_macro"


class JaccardMicro(JaccardFamily):
    """Rows of a class and predicted to be, divided by those that are one or the other; all classes together."""

    task = LABELS
    average = "micro"
    type: Literal["jaccard_micro"] = "jaccard_micro"


class JaccardWeighted(JaccardFamily):
    """Rows of a class and predicted to be, divided by those that are one or the other; classes weighted by rows."""

    task = LABELS
    average = "weighted"
    type: Literal["jaccard_weighted"] = "jaccard_weighted"


class JaccardSamples(JaccardFamily):
    """Rows of a class and predicted to be, divided by those that are one or the other; the mean over rows."""

    task = MULTILABEL
    average = "samples"
    type: Literal["jaccard_samples"] = "jaccard_samples"
