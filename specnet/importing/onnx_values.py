"""What a tensor of an ONNX graph is, beside a constant: features of rows, or a part of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from specnet.importing.algebra import Formula
from specnet.parts.arrays import Array


@dataclass(frozen=True)
class Normal:
    """Numbers of (x − mean)·factor + shift, each () or (features,), as far as they have been read."""

    mean: Array
    factor: Array | None = None
    shift: Array | None = None


@dataclass(frozen=True)
class Departure:
    """What f(x) − x was made of, which its formula no longer shows, and the share of it, (features,), if it has one."""

    activation: Formula
    share: Array | None = None


@dataclass
class Features:
    """Features of rows, (rows, size): a formula of a layer's output or of the network's input.

    Attributes
    ----------
    source : int
        The layer.
    formula : Formula
    size : int
        Features; that of the source where the formula has one value for each row.
    alone : bool
        Whether nothing else in the graph reads what the formula is made of.
    normal : Normal or None
        The numbers as they stand in the file, where the formula is (x − mean)·factor + shift.
    whole : bool
        Whether the numbers, 0 and 1, are stored as integers.
    departure : Departure or None
        Where the formula is what an activation differs from x by.
    """

    source: int
    formula: Formula
    size: int
    alone: bool = True
    normal: Normal | None = None
    whole: bool = False
    departure: Departure | None = None

    @property
    def is_condition(self) -> bool:
        """Whether all features are 0 or 1."""
        return not (self.formula * self.formula - self.formula).terms


@dataclass(frozen=True)
class Part:
    """Some features of a layer's output: those from `begin` up to `end`.

    Behind a sigmoid if `gated`; times `factor` and then plus `shift`, each (features,), where these are there.
    """

    source: int
    begin: int
    end: int
    gated: bool = False
    factor: Array | None = None
    shift: Array | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing was done to the features."""
        return not self.gated and self.factor is None and self.shift is None


@dataclass(frozen=True)
class Dimensions:
    """The shape of features as a tensor; the number of rows is not known."""

    features: int


@dataclass(frozen=True)
class RowCount:
    """The number of rows, as a part of a shape."""


@dataclass(frozen=True)
class TwoClasses:
    """The probabilities of both classes, (rows, 2), from that of the second."""

    second: int


@dataclass(frozen=True)
class Column:
    """One number of each row, (rows,) or (rows, 1), as a graph gives it that has an output for each class.

    Attributes
    ----------
    source : int
        The layer.
    index : int
        Of the number among the layer's outputs, or among the probabilities of two classes.
    of_two_classes : bool
        Whether it is one of these, and the layer has the one output from which both come.
    """

    source: int
    index: int
    of_two_classes: bool = False


@dataclass(frozen=True)
class Winner:
    """The index of the largest of a layer's outputs, or of the two classes of a layer's one output.

    Attributes
    ----------
    source : int
        The layer.
    boundary : float
        Above which a single output stands for the second class.
    """

    source: int
    boundary: float = 0.5


@dataclass(frozen=True)
class Label:
    """The label that a winner's index stands for."""

    winner: Winner
    labels: Array


@dataclass(frozen=True)
class Flags:
    """0 or 1 for each of a layer's outputs, by whether it is above a boundary: ½, or 0 for margins."""

    source: int
    boundary: float


@dataclass(frozen=True)
class Table:
    """Probabilities by label, as ai.onnx.ml's ZipMap gives them."""

    probabilities: Features | TwoClasses
    labels: Array


Value = Features | Part | Dimensions | RowCount | TwoClasses | Column | Winner | Label | Flags | Table
