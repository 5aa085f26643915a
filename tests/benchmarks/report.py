"""Tables of what was measured, and what has missed its bound."""

import platform
from importlib.metadata import PackageNotFoundError, version

from tests.benchmarks.steps.cases import Bound


def plain(number: float) -> str:
    """A positive number with three significant digits and no exponent."""
    return f"{float(f'{number:.3g}'):f}".rstrip("0").rstrip(".")


class Report:
    """Prints Markdown tables and remembers whether a bound was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def table(self, *columns: str) -> None:
        print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)

    def row(self, *cells: str) -> None:
        print(f"| {' | '.join(cells)} |", flush=True)

    def limits(self, title: str, peer: str, ratio: float | None, bound: Bound | None) -> tuple[str, str]:
        """The cells of a ratio of our time to a peer's, if there is one, and of its bound."""
        if ratio is None:
            return "–", "–"
        self.judge(f"{title} against {peer}", bound is None or ratio <= bound.at_most)
        return plain(ratio), f"{bound.at_most:g} ({bound.goal:g})" if bound else "–"

    def compared(self, title: str, peer: str, ours: float, theirs: float, bound: Bound | None, unit: float) -> None:
        """A row with our time and a peer's; `unit` is the number of units in a second."""
        limits = self.limits(title, peer, ours / theirs, bound)
        self.row(title, plain(ours * unit), peer, plain(theirs * unit), *limits)

    def limited(self, title: str, seconds: float, at_most: float) -> None:
        """A row with a time that has a bound of its own."""
        self.row(title, f"{seconds:.4f}" if at_most < 0.1 else f"{seconds:.3f}", f"{at_most:g}")
        self.judge(title, seconds < at_most)

    def judge(self, what: str, kept: bool) -> None:
        """Remember what has missed its bound."""
        if not kept:
            self.missed.append(what)

    def exit_status(self) -> int:
        """Print what has missed its bound; 1 if anything has."""
        for what in self.missed:
            print(f"\nMissed: {what}")
        return 1 if self.missed else 0


def installed_versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in ("numpy", "scikit-learn", "onnxruntime", "jax", "optax", "torch", "keras"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
