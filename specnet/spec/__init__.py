"""What a document may say, and what it means.

In come a path, a text or a mapping, and settings; out come a `Spec`, what was written, and a `Resolved`, in which
every default and size is said, or a `SpecError` with all mistakes at their places. Start at `parsing.parse_spec`, which
goes through `reading` and `document` (the tables and their keys), and at `resolving.resolve`. A sweep's values
are tried by `searching`; `json_schema` tells editors the same, `meaning` tells people, and `spec_writing` writes
documents again.
"""

from specnet.spec.column_names import with_feature_names
from specnet.spec.document import Limits, NetworkSpec, Spec, TrainingSpec
from specnet.spec.groups import ColumnGroup, Written
from specnet.spec.parsing import parse_spec, text_saying, with_engine
from specnet.spec.reading.reader import SpecSource
from specnet.spec.resolving.resolve import Resolved, known_outputs, resolve
from specnet.spec.resolving.sizes import outputs_for
from specnet.spec.searching import parse_sweep

__all__ = [
    "ColumnGroup",
    "Limits",
    "NetworkSpec",
    "Resolved",
    "Spec",
    "SpecSource",
    "TrainingSpec",
    "Written",
    "known_outputs",
    "outputs_for",
    "parse_spec",
    "parse_sweep",
    "resolve",
    "text_saying",
    "with_engine",
    "with_feature_names",
]
