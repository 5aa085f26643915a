"""Sources of rows. A column that is no number, or has gaps, will be its own part: a source only gives what it read."""

from specnet.parts.data.base import Data, DataSizes, Split, Table, TargetKind
from specnet.parts.data.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from specnet.parts.data.generated import MakeBlobs, MakeCircles, MakeClassification, MakeMoons, MakeRegression

__all__ = [
    "BreastCancer",
    "Data",
    "DataSizes",
    "Diabetes",
    "Digits",
    "Iris",
    "MakeBlobs",
    "MakeCircles",
    "MakeClassification",
    "MakeMoons",
    "MakeRegression",
    "Split",
    "Table",
    "TargetKind",
    "Wine",
]
