"""Templates go with the package, and their values are text."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from specnet.report.pages.page_templates import PAGES, environment, style

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_wheel_has_the_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"specnet/report/pages/{file.name}" for file in PAGES.iterdir() if file.is_file()} <= set(names)


def test_values_are_text_and_unknown_names_are_errors() -> None:
    template = environment().from_string("<p title='{{ value }}'>{{ value }}</p>")
    assert template.render(value="<b>'\"&") == "<p title='&lt;b&gt;&#39;&#34;&amp;'>&lt;b&gt;&#39;&#34;&amp;</p>"
    with pytest.raises(UndefinedError):
        template.render()


def test_style_asks_for_nothing() -> None:
    assert "url(" not in style()
    assert "@import" not in style()
    assert "</" not in style()
