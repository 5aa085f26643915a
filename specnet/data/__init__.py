"""Rows of data: reading, splits, labels, and the preparation of columns for a network."""

from specnet.data.labels import Labels, check_labels
from specnet.data.preparation import Preparation, needed_columns, tensor_shapes
from specnet.data.split import RowSplit, split_rows
from specnet.data.suspicions import suspicions
from specnet.data.suspicious_columns import column_suspicions
from specnet.data.tables import load_table, read_inputs, read_table, table_target

__all__ = [
    "Labels",
    "Preparation",
    "RowSplit",
    "check_labels",
    "column_suspicions",
    "load_table",
    "needed_columns",
    "read_inputs",
    "read_table",
    "split_rows",
    "suspicions",
    "table_target",
    "tensor_shapes",
]
