"""Objects that notebooks show as HTML."""

from __future__ import annotations

# As in `typing`, whose import would take as long as all of `specnet`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

html: Callable[[object], str] = repr
"""Makes the HTML of an object. `specnet` replaces it, because networks and models import nothing of the pages."""


class Displayed:
    """A class whose objects `html` can show."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return html(self)
