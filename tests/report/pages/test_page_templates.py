"""Templates go with the package, and their values are text."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from specnet.report.pages.page_templates import PAGES, environment, style
from specnet.report.svg.markup import hover_text, isolated
from specnet.report.terminal.terminal_output import TextTable

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_wheel_has_the_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    folders = [PAGES, *(ROOT / "specnet" / name / "templates" for name in ("exporting", "recipes"))]
    files = [file for folder in folders for file in folder.iterdir() if file.is_file()]
    assert {file.relative_to(ROOT).as_posix() for file in files} <= set(names)


def test_values_are_text_and_unknown_names_are_errors() -> None:
    template = environment().from_string("<p title='{{ value }}'>{{ value }}</p>")
    assert template.render(value="<b>'\"&") == "<p title='&lt;b&gt;&#39;&#34;&amp;'>&lt;b&gt;&#39;&#34;&amp;</p>"
    with pytest.raises(UndefinedError):
        template.render()


def test_numbers_of_a_table_have_minus_signs_and_its_words_keep_their_hyphens() -> None:
    table = TextTable(["run", "test r2", "findings"], [["a-1", "-0.19", "no-signal"]], right=frozenset({1}))
    shown = environment().from_string('{% from "parts.html.j2" import grid %}{{ grid(table, "Scores") }}')
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", shown.render(table=table))
    assert cells[3:] == ["a-1", "−0.19", "no-signal"]


def test_names_from_right_to_left_do_not_turn_what_follows_them() -> None:
    card = environment().from_string('{% from "parts.html.j2" import card %}{{ card(figure) }}')
    figure = SimpleNamespace(title="a", note="Mean of שלום עולם: 0.5 % at אב, 7 % at <b>.", chart=Markup(), kind="")
    shown = card.render(figure=figure)
    assert "Mean of \u2068שלום עולם\u2069: 0.5\xa0% at \u2068אב\u2069, 7\xa0% at &lt;b&gt;." in shown
    assert hover_text("אב: 0.5 %") == "<title>\u2068אב\u2069: 0.5 %</title>"
    assert isolated("Grüße, 日本: −0.5 %") == "Grüße, 日本: −0.5 %"


def test_numbers_do_not_break_from_their_units_and_commands_have_plain_spaces() -> None:
    broken = "50.0 % of 3 850 rows: R² 0.853, ± 4.84 in 3 min 20 s; class 0, +3.0 points, AUC −0.1, 21 × 2 MB, 9 rows"
    parts = re.split(" +", environment().from_string("{{ text }}").render(text=broken))
    assert [part.replace("\xa0", " ") for part in parts if "\xa0" in part] == [
        *("50.0 %", "3 850", "R² 0.853,", "± 4.84", "3 min", "20 s;"),
        *("class 0,", "+3.0 points,", "AUC −0.1,", "21 × 2 MB,"),
    ]
    command = "specnet run a.toml --set data.path=2 MB"
    copied = environment().from_string('{% from "parts.html.j2" import command_text %}{{ command_text(command) }}')
    assert re.sub("<.*?>", "", copied.render(command=command)).strip() == command


def test_style_asks_for_nothing() -> None:
    assert "url(" not in style()
    assert "@import" not in style()
    assert "</" not in style()
