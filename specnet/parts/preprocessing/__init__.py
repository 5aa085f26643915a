"""Preprocessing steps for the columns that a network reads, fitted on training rows and saved with the model.

In: columns (rows, columns), texts as indices of distinct texts. Out: the step with its sizes, and arrays by name; then
prepared columns, as arrays or as symbolic values (`column_operations`). Start with `Preprocessing` in `base`; then
`missing` (replaces missing cells), `scaling`, `curve_steps`, `dates`, `categories`, which codes texts,
`target_encoding`, and `text_vectors`, which makes numbers of free text by `tokens`, `folding` and `linear_answers`,
with a `text_cache`.
A new step is a class in one of the modules; add its name to the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.preprocessing.base import *
    from specnet.parts.preprocessing.categories import *
    from specnet.parts.preprocessing.curve_steps import *
    from specnet.parts.preprocessing.dates import *
    from specnet.parts.preprocessing.folding import *
    from specnet.parts.preprocessing.missing import *
    from specnet.parts.preprocessing.scaling import *
    from specnet.parts.preprocessing.target_encoding import *
    from specnet.parts.preprocessing.text_vectors import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "NUMBERS Fitted Preprocessing TargetArray Texts prepared_size raw_size",
            "categories": "ONE_HOT_CODES CategoryStep Ordinal OneHot CategoryEmbedding",
            "curve_steps": "SmoothClip Log",
            "dates": "Calendar",
            "missing": "Impute",
            "scaling": "QuantileRanks Standardize Robust Minmax ClipColumns",
            "folding": "folded folding_lines",
            "target_encoding": "TargetEncoding",
            "text_vectors": "TextVectors",
        },
    )
