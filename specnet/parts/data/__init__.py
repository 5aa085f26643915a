"""Sources of rows. A column that is no number, or has gaps, will be its own part: a source only gives what it read."""

from specnet.parts.data.base import SPLIT_PARTS, Data, DataSizes, Split, Table, TargetKind
from specnet.parts.data.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from specnet.parts.data.columns import Column, Kind
from specnet.parts.data.csv_reading import CsvFile
from specnet.parts.data.files import Csv, Npz
from specnet.parts.data.generated import MakeBlobs, MakeCircles, MakeClassification, MakeMoons, MakeRegression
from specnet.parts.data.npz_reading import read_arrays
from specnet.parts.data.progress import reading_progress

__all__ = [
    "SPLIT_PARTS",
    "BreastCancer",
    "Column",
    "Csv",
    "CsvFile",
    "Data",
    "DataSizes",
    "Diabetes",
    "Digits",
    "Iris",
    "Kind",
    "MakeBlobs",
    "MakeCircles",
    "MakeClassification",
    "MakeMoons",
    "MakeRegression",
    "Npz",
    "Split",
    "Table",
    "TargetKind",
    "Wine",
    "read_arrays",
    "reading_progress",
]
