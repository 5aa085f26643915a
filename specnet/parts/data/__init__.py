"""Sources of rows."""

from specnet.parts.data.base import SPLIT_PARTS, Data, DataSizes, Split, Table, TargetKind
from specnet.parts.data.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from specnet.parts.data.column_kinds import KINDS_IN_WORDS, Column, ColumnKind, Kind, column_of, kind_of
from specnet.parts.data.files import Npz
from specnet.parts.data.frames import frame_table
from specnet.parts.data.generated import MakeBlobs, MakeCircles, MakeClassification, MakeMoons, MakeRegression
from specnet.parts.data.notations import Notation
from specnet.parts.data.npz_reading import read_arrays
from specnet.parts.data.reading_progress import reading_progress
from specnet.parts.data.table_files import Csv, Jsonl, Parquet, TableFile, not_a_table, table_file_type
from specnet.parts.data.tables.parquet_writing import parquet_pieces
from specnet.parts.data.tables.setting_hints import settings_as_options
from specnet.parts.data.tables.source import Cells, refuse_bytes

__all__ = [
    "KINDS_IN_WORDS",
    "SPLIT_PARTS",
    "BreastCancer",
    "Cells",
    "Column",
    "ColumnKind",
    "Csv",
    "Data",
    "DataSizes",
    "Diabetes",
    "Digits",
    "Iris",
    "Jsonl",
    "Kind",
    "MakeBlobs",
    "MakeCircles",
    "MakeClassification",
    "MakeMoons",
    "MakeRegression",
    "Notation",
    "Npz",
    "Parquet",
    "Split",
    "Table",
    "TableFile",
    "TargetKind",
    "Wine",
    "column_of",
    "frame_table",
    "kind_of",
    "not_a_table",
    "parquet_pieces",
    "read_arrays",
    "reading_progress",
    "refuse_bytes",
    "settings_as_options",
    "table_file_type",
]
