"""The rows: where a spec's come from, their splits and labels, and how columns become what a network sees."""

from specnet.data.labels import Labels, check_labels
from specnet.data.preparation import Preparation, tensor_shapes
from specnet.data.split import RowSplit, split_rows
from specnet.data.suspicions import suspicions
from specnet.data.tables import check_table, load_table, read_inputs, read_table, target_kind

__all__ = [
    "Labels",
    "Preparation",
    "RowSplit",
    "check_labels",
    "check_table",
    "load_table",
    "read_inputs",
    "read_table",
    "split_rows",
    "suspicions",
    "target_kind",
    "tensor_shapes",
]
