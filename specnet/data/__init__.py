"""Rows of data: reading, splits, labels, and the preparation of columns for a network."""

from specnet.data.checked_tables import (
    about_file,
    large_cell_in,
    load_table,
    read_cells,
    read_inputs,
    read_table,
    table_target,
)
from specnet.data.column_preprocessing import column_groups, with_fitted_steps
from specnet.data.known_cells import filled_gaps, group_texts, known_texts, trained_gaps
from specnet.data.labels import Labels, check_labels
from specnet.data.large_cells import first_large_cell, large_cell_problem, large_rows, largest_cell
from specnet.data.preparation import Group, Preparation, tensor_forms, unfitted
from specnet.data.raw_columns import RawColumns, frame_columns, raw_columns
from specnet.data.row_hashes import RowSet, row_hashes
from specnet.data.split import RowSplit, split_rows
from specnet.data.suspicious_columns import column_suspicions
from specnet.data.suspicious_targets import suspicions

__all__ = [
    "Group",
    "Labels",
    "Preparation",
    "RawColumns",
    "RowSet",
    "RowSplit",
    "about_file",
    "check_labels",
    "column_groups",
    "column_suspicions",
    "filled_gaps",
    "first_large_cell",
    "frame_columns",
    "group_texts",
    "known_texts",
    "large_cell_in",
    "large_cell_problem",
    "large_rows",
    "largest_cell",
    "load_table",
    "raw_columns",
    "read_cells",
    "read_inputs",
    "read_table",
    "row_hashes",
    "split_rows",
    "suspicions",
    "table_target",
    "tensor_forms",
    "trained_gaps",
    "unfitted",
    "with_fitted_steps",
]
