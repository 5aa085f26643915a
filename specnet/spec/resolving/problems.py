"""The mistakes found while a spec is resolved."""

from dataclasses import replace
from typing import Unpack

from specnet.errors import Diagnostic, Path
from specnet.spec.document import Origin, Spec, written_path
from specnet.spec.reading.source_document import Details


class Problems:
    """The mistakes found while one spec is resolved, each with its path in the document.

    Attributes
    ----------
    written : dict
        Paths in the spec by paths in the resolved spec, filled while the long form is built.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.written: dict[Path, Path] = {}
        self._found: dict[tuple[str, str, Path], Diagnostic] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def report(self, code: str, message: str, path: Path, **details: Unpack[Details]) -> None:
        """Add a mistake at a path of the resolved spec; repetitions of a block add it only once."""
        diagnostic = self.spec.diagnostic(code, message, written_path(self.written, path), **details)
        alike = (known for known in self._found if known[0] == code and _of_one_list(known[2], diagnostic.path))
        earlier = next(alike, None)
        if earlier is not None:  # both ends of layer_sizes are one mistake
            note = self.note(message, path)
            self._found[earlier] = replace(self._found[earlier], notes=(*self._found[earlier].notes, note))
            return
        self._found.setdefault((code, message, diagnostic.path), diagnostic)

    def has(self, code: str) -> bool:
        """Return whether a mistake with this code was reported."""
        return any(known == code for known, _, _ in self._found)

    def note(self, message: str, path: Path) -> Diagnostic:
        """Return a note about a path of the resolved spec, for a mistake that also concerns this path."""
        return self.spec.diagnostic("note", message, written_path(self.written, path))

    def raise_all(self) -> None:
        """Raise a `SpecError` with all mistakes, if any."""
        if self._found:
            raise self.spec.document.error(self._found.values())

    def origin(self) -> Origin:
        """Return the origin of the resolved spec: the spec's origin with paths mapped from the resolved spec."""
        origin = self.spec.origin
        written = {path: origin.path_of(source) for path, source in self.written.items()}
        return Origin(origin.document, origin.registry, origin.limits, {**origin.written, **written})


def _of_one_list(first: Path, second: Path) -> bool:
    """Return whether two paths lead to different entries of ``layer_sizes``."""
    return first[:2] == second[:2] == ("network", "layer_sizes") and len(first) == len(second) == 3 and first != second
