"""Preparation of data for training and prediction: checks, splits, labels and preprocessed columns.

The input is a table read by a part of `specnet.parts.data`, arrays, or a data frame. The results are indices of
training, validation and test rows, labels, a `Preparation` fitted to training rows, batches (`feed`), and warnings.
Start with `checked_tables` (rows of a spec, and of files for a model), `split` (chooses training rows) and
`preparation` (applies the steps of `specnet.parts.preprocessing`, which also fill missing cells).
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.data.checked_tables import about_file as about_file
    from specnet.data.checked_tables import first_large_cell as first_large_cell
    from specnet.data.checked_tables import large_cell_in as large_cell_in
    from specnet.data.checked_tables import large_cell_problem as large_cell_problem
    from specnet.data.checked_tables import large_rows as large_rows
    from specnet.data.checked_tables import largest_cell as largest_cell
    from specnet.data.checked_tables import load_table as load_table
    from specnet.data.checked_tables import read_cells as read_cells
    from specnet.data.checked_tables import read_inputs as read_inputs
    from specnet.data.checked_tables import read_table as read_table
    from specnet.data.checked_tables import table_part as table_part
    from specnet.data.checked_tables import table_target as table_target
    from specnet.data.column_preprocessing import check_fitted as check_fitted
    from specnet.data.column_preprocessing import column_groups as column_groups
    from specnet.data.column_preprocessing import with_fitted_steps as with_fitted_steps
    from specnet.data.data_warnings import TrainingData as TrainingData
    from specnet.data.data_warnings import column_warnings as column_warnings
    from specnet.data.data_warnings import target_warnings as target_warnings
    from specnet.data.dependent_rows import Dependence as Dependence
    from specnet.data.dependent_rows import dependences as dependences
    from specnet.data.dependent_rows import names_a_group as names_a_group
    from specnet.data.dependent_rows import names_of_groups as names_of_groups
    from specnet.data.ignored_columns import ignored_groups as ignored_groups
    from specnet.data.labels import Labels as Labels
    from specnet.data.labels import check_labels as check_labels
    from specnet.data.leakage import ClassTarget as ClassTarget
    from specnet.data.leakage import Target as Target
    from specnet.data.leakage import ValueTarget as ValueTarget
    from specnet.data.preparation import Preparation as Preparation
    from specnet.data.preparation import StepGroup as StepGroup
    from specnet.data.preparation import filled_gaps as filled_gaps
    from specnet.data.preparation import group_texts as group_texts
    from specnet.data.preparation import known_texts as known_texts
    from specnet.data.preparation import tensor_forms as tensor_forms
    from specnet.data.preparation import trained_gaps as trained_gaps
    from specnet.data.preparation import unfitted as unfitted
    from specnet.data.raw_columns import RawColumns as RawColumns
    from specnet.data.raw_columns import frame_columns as frame_columns
    from specnet.data.row_hashes import RowSet as RowSet
    from specnet.data.split import RowSplit as RowSplit
    from specnet.data.split import blocks_of_times as blocks_of_times
    from specnet.data.split import split_rows as split_rows
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "checked_tables": "about_file first_large_cell large_cell_in large_cell_problem large_rows "
            "largest_cell load_table read_cells read_inputs read_table table_part table_target",
            "column_preprocessing": "check_fitted column_groups with_fitted_steps",
            "data_warnings": "TrainingData column_warnings target_warnings",
            "dependent_rows": "Dependence dependences names_a_group names_of_groups",
            "ignored_columns": "ignored_groups",
            "labels": "Labels check_labels",
            "leakage": "ClassTarget Target ValueTarget",
            "preparation": "Preparation StepGroup filled_gaps group_texts known_texts tensor_forms trained_gaps "
            "unfitted",
            "raw_columns": "RawColumns frame_columns",
            "row_hashes": "RowSet",
            "split": "RowSplit blocks_of_times split_rows",
        },
    )
