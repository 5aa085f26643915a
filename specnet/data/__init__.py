"""The rows: where a spec's come from, their splits and labels, and how columns become what a network sees."""

from specnet.data.labels import Labels, check_labels
from specnet.data.preparation import Preparation, tensor_shapes
from specnet.data.split import RowSplit, split_rows

__all__ = ["Labels", "Preparation", "RowSplit", "check_labels", "split_rows", "tensor_shapes"]
