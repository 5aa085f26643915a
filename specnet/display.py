"""Objects that notebooks show as HTML, by a module above theirs, which is looked up by its name when one is shown."""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """A class whose objects `specnet.report.notebook` can show.

    Networks and models are below the pages and import nothing of them; `specnet` finds its public names in this way.
    """

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        html: str = import_module("specnet.report.notebook").html(self)
        return html
