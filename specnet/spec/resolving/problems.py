"""Mistakes that are found while a spec is resolved, at the places where it was written."""

from dataclasses import replace
from typing import Unpack

from specnet.errors import Diagnostic, Path
from specnet.spec.document import Origin, Spec
from specnet.spec.reading.source_document import Details


class Problems:
    """Collects the mistakes of one resolution.

    Attributes
    ----------
    written : dict
        From paths of the resolved spec to those of the spec, filled while the long form is made.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.written: dict[Path, Path] = {}
        self._found: dict[tuple[str, str, Path], Diagnostic] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def report(self, code: str, message: str, path: Path, **details: Unpack[Details]) -> None:
        """Keep a mistake at a path of the resolved spec. The repetitions of a block have it once."""
        diagnostic = self.spec.diagnostic(code, message, self._source(path), **details)
        alike = (known for known in self._found if known[0] == code and _of_one_list(known[2], diagnostic.path))
        earlier = next(alike, None)
        if earlier is not None:  # both ends of layer_sizes are one mistake
            note = self.note(message, path)
            self._found[earlier] = replace(self._found[earlier], notes=(*self._found[earlier].notes, note))
            return
        self._found.setdefault((code, message, diagnostic.path), diagnostic)

    def has(self, code: str) -> bool:
        """Return whether there is a mistake of this kind."""
        return any(known == code for known, _, _ in self._found)

    def note(self, message: str, path: Path) -> Diagnostic:
        """Return a second place that a mistake has to do with."""
        return self.spec.diagnostic("note", message, self._source(path))

    def raise_all(self) -> None:
        """Raise what was found, if anything was."""
        if self._found:
            raise self.spec.document.error(self._found.values())

    def origin(self) -> Origin:
        """Return the origin of the resolved spec: the spec's own, by the resolved spec's paths."""
        origin = self.spec.origin
        written = {path: origin.path_of(source) for path, source in self.written.items()}
        return Origin(origin.document, origin.registry, origin.limits, {**origin.written, **written})

    def _source(self, path: Path) -> Path:
        return Origin(written=self.written, registry=self.spec.registry).path_of(path)


def _of_one_list(first: Path, second: Path) -> bool:
    """Return whether two paths lead to different entries of ``layer_sizes``."""
    return first[:2] == second[:2] == ("network", "layer_sizes") and len(first) == len(second) == 3 and first != second
