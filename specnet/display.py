"""Objects that notebooks show as HTML."""

from __future__ import annotations

# Defined here, because importing `typing` would take as long as importing all of `specnet`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

html: Callable[[object], str] = repr
"""Function that returns an object as HTML. `specnet` replaces it, because networks and models do not import reports."""


class Displayed:
    """Base class of objects that notebooks show with `html`."""

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        return html(self)
