"""What a raw column is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["numeric", "boolean", "datetime", "category", "ignore"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A raw column of a table.

    Attributes
    ----------
    name : str
    kind : str
    texts : ndarray (texts,) or None
        Of a category its distinct texts, ascending.
    """

    name: str
    kind: Kind
    texts: NDArray[np.str_] | None = None
