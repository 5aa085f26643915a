"""The spec language: from a text to a validated spec, and to its long form with every default.

In: a path, a text or a mapping, and settings. Out: a `Spec`, which has the values as written, and a `Resolved`, which
has every default and size; or a `SpecError` with all mistakes at their locations. Start at `parsing.parse_spec`, which
uses `reading` and `document` (the sections and their keys), and at `resolving.resolve`. `searching` checks the values
of a sweep, `json_schema` describes specs for editors, `origins` has the origin of each value, and `spec_writing` writes
them with changed values.
"""

from specnet.spec.column_names import with_feature_names
from specnet.spec.document import ColumnGroup, Limits, NetworkSpec, Spec, StepsOrGroups, TrainingSpec
from specnet.spec.parsing import parse_spec, text_saying, with_engine
from specnet.spec.reading.reader import SpecSource
from specnet.spec.resolving.agreement import outputs_for
from specnet.spec.resolving.resolve import Resolved, known_outputs, resolve
from specnet.spec.searching import parse_sweep

__all__ = [
    "ColumnGroup",
    "Limits",
    "NetworkSpec",
    "Resolved",
    "Spec",
    "SpecSource",
    "StepsOrGroups",
    "TrainingSpec",
    "known_outputs",
    "outputs_for",
    "parse_spec",
    "parse_sweep",
    "resolve",
    "text_saying",
    "with_engine",
    "with_feature_names",
]
