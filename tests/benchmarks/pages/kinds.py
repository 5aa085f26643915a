"""The figures of each kind of page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.pages import made
from tests.benchmarks.pages.figures import Figures
from tests.benchmarks.pages.many import runs_figures, series_figures, sweep_figures
from tests.benchmarks.pages.runs import run_figures

Compare = Callable[[Path, Figures], None]


def _run(page: Path, found: Figures) -> None:
    run_figures(page, page.parent / "spec.json", found)


def _team(page: Path, found: Figures) -> None:
    run_figures(page, page.parents[1] / "best.json", found)


KINDS: dict[str, tuple[Callable[[Path], Path], Compare]] = {
    "two classes": (made.run_of("two"), _run),
    "several classes": (made.run_of("classes"), _run),
    "regression": (made.run_of("values"), _run),
    "two outputs": (made.run_of("outputs"), _run),
    "ensemble": (made.run_of("values", ensemble=3), _run),
    "texts": (made.run_of("texts"), _run),
    "folds": (made.series_of("classes", folds=5, seeds=2), series_figures),
    "seeds": (made.series_of("values", seeds=8), series_figures),
    "interrupted": (made.series_of("classes", finished=7, folds=5, seeds=2), series_figures),
    "sweep": (made.sweep, sweep_figures),
    "team": (made.team, _team),
    "compare": (made.compared, runs_figures),
    "leaderboard": (made.leaderboard, runs_figures),
}
"""How the page of each kind is made in a folder, and what compares its figures."""


def figures_of(kind: str, folder: Path) -> Figures:
    """Make the page of a kind, and compare its figures."""
    make, compare = KINDS[kind]
    found = Figures()
    compare(make(folder), found)
    return found
