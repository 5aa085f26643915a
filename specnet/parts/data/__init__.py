"""Data sources of specs: one class for each type of the data part.

In: a folder and the fields of a part. Out: a `Table` (`base`) of float64 columns, a target and the kinds of columns.
Start with `base` (the fields of all sources, and the split) and `table_files` (CSV, Parquet, JSON lines). `tables`
reads the files, and `frames` reads data frames by the same rules. `column_kinds` and `notations` define the kinds of
columns.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.data.base import *
    from specnet.parts.data.bundled import *
    from specnet.parts.data.column_kinds import KINDS_IN_WORDS as KINDS_IN_WORDS
    from specnet.parts.data.column_kinds import OF_TEXTS as OF_TEXTS
    from specnet.parts.data.column_kinds import Column as Column
    from specnet.parts.data.column_kinds import ColumnKind as ColumnKind
    from specnet.parts.data.column_kinds import Kind as Kind
    from specnet.parts.data.column_kinds import column_of as column_of
    from specnet.parts.data.column_kinds import kind_of as kind_of
    from specnet.parts.data.files import *
    from specnet.parts.data.frames import frame_table as frame_table
    from specnet.parts.data.generated import *
    from specnet.parts.data.notations import Notation as Notation
    from specnet.parts.data.progress import reading_progress as reading_progress
    from specnet.parts.data.table_files import *
    from specnet.parts.data.tables.parquet_files import parquet_pieces as parquet_pieces
    from specnet.parts.data.tables.setting_hints import settings_as_options as settings_as_options
    from specnet.parts.data.tables.sources import ColumnCells as ColumnCells
    from specnet.parts.data.tables.sources import refuse_bytes as refuse_bytes
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Data DataSizes Split Table TargetKind",
            "bundled": "BreastCancer Diabetes Digits Iris Wine",
            "column_kinds": "KINDS_IN_WORDS OF_TEXTS Column ColumnKind Kind column_of kind_of",
            "files": "Npz read_arrays",
            "frames": "frame_table",
            "generated": "MakeBlobs MakeCircles MakeClassification MakeMoons MakeRegression",
            "notations": "Notation",
            "progress": "reading_progress",
            "table_files": "Csv Jsonl Parquet TableFile is_text_encoding not_a_table table_file_type",
            "tables.parquet_files": "parquet_pieces",
            "tables.setting_hints": "settings_as_options",
            "tables.sources": "ColumnCells refuse_bytes",
        },
    )
