"""The page of several runs in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specnet.report.pages.comparison_page import comparison_page
from specnet.running.saved_runs import compared_run
from tests.report.browser.checks import problems

pytestmark = pytest.mark.slow  # a browser is a process

WILD = "<b onclick=alert(1)>&\"']]>"


def test_page_of_runs_is_in_order(chromium: Any, axe: str, report: Callable[[str], Path], tmp_path: Path) -> None:
    """Runs of unlike specs, one of them twice, with names that are long or look like markup."""
    folders = [report(name).parent for name in ("moons.toml", "digits.toml", "iris.json", "moons.toml")]
    for name, folder in zip(("short", "x" * 200, WILD, "a name with blanks " * 5), folders, strict=True):
        (tmp_path / name).symlink_to(folder, target_is_directory=True)
    runs = [compared_run(folder) for folder in sorted(tmp_path.iterdir())]
    page = tmp_path / "compare.html"
    page.write_text(comparison_page(runs, "specnet compare …"), encoding="utf-8")
    found = problems(chromium, axe, page)
    assert not found, "\n".join(found)
