"""Sources of rows: what a spec's data part may say, one class for each type.

In: a folder and the fields of a part. Out: a `Table` (`base`) of float64 columns, a target and the kinds of columns.
Start with `base` (what all sources have, and how rows are split) and `table_files` (CSV, Parquet, JSON lines); `tables`
reads the files, and `frames` data frames by the same rules. `column_kinds` and `notations` are what columns can be.
"""

from specnet.parts.data.base import SPLIT_PARTS as SPLIT_PARTS
from specnet.parts.data.base import Data as Data
from specnet.parts.data.base import DataSizes as DataSizes
from specnet.parts.data.base import Split as Split
from specnet.parts.data.base import Table as Table
from specnet.parts.data.base import TargetKind as TargetKind
from specnet.parts.data.bundled import *
from specnet.parts.data.column_kinds import KINDS_IN_WORDS as KINDS_IN_WORDS
from specnet.parts.data.column_kinds import Column as Column
from specnet.parts.data.column_kinds import ColumnKind as ColumnKind
from specnet.parts.data.column_kinds import Kind as Kind
from specnet.parts.data.column_kinds import column_of as column_of
from specnet.parts.data.column_kinds import kind_of as kind_of
from specnet.parts.data.files import Npz as Npz
from specnet.parts.data.frames import frame_table as frame_table
from specnet.parts.data.generated import *
from specnet.parts.data.notations import Notation as Notation
from specnet.parts.data.npz_reading import read_arrays as read_arrays
from specnet.parts.data.reading_progress import reading_progress as reading_progress
from specnet.parts.data.table_files import Csv as Csv
from specnet.parts.data.table_files import Jsonl as Jsonl
from specnet.parts.data.table_files import Parquet as Parquet
from specnet.parts.data.table_files import TableFile as TableFile
from specnet.parts.data.table_files import is_text_encoding as is_text_encoding
from specnet.parts.data.table_files import not_a_table as not_a_table
from specnet.parts.data.table_files import table_file_type as table_file_type
from specnet.parts.data.tables.parquet_writing import parquet_pieces as parquet_pieces
from specnet.parts.data.tables.setting_hints import settings_as_options as settings_as_options
from specnet.parts.data.tables.source import ColumnCells as ColumnCells
from specnet.parts.data.tables.source import refuse_bytes as refuse_bytes
