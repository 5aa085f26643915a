"""`specnet compare`: several runs in one page."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from specnet import parse_spec, resolve
from specnet.parts.data.base import Split
from specnet.report.pages.comparison_page import differing_settings, short_names
from tests.cli.conftest import MOONS, Specnet
from tests.texts.pinned import Pinned

WILD = "<script>alert(1)</script>&\"']]>"


class Elements(HTMLParser):
    """The elements of a page, the texts of its cells, and whatever could fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.addresses: list[str] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href", "action", "data")]
        if tag in ("td", "th"):
            self._in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data.strip()


def train(specnet: Specnet, *runs: str, **settings: str) -> None:
    for run in runs:
        options = [word for key, value in settings.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]
        assert specnet("run", "moons.toml", "-o", run, "-q", "--no-report", *options).status == 0


def labels(page: str) -> list[str]:
    return [unescape(label) for label in re.findall(r'aria-label="([^"]*)"', page)]


def test_scores_curves_and_settings_of_runs(specnet: Specnet, folder: Path) -> None:
    train(specnet, "runs/a", training__epochs="100", training__optimizer__learning_rate="0.05")
    train(specnet, "runs/b", data__split__validation_size="0.2")
    ended = specnet("compare", "runs/a", "runs/b")
    assert (ended.status, ended.out, ended.err) == (0, "compare.html\n", "")
    page = (folder / "compare.html").read_text("utf-8")
    elements = Elements(page)
    figures = {run: json.loads((folder / "runs" / run / "metrics.json").read_text()) for run in "ab"}
    for run in "ab":
        place = elements.cells.index(f"runs/{run}")
        assert elements.cells[place + 2] == f"{figures[run]['test']['loss']:.4f}"
    # Each run that has a figure has its line, with its last value.
    history = [json.loads(line) for line in (folder / "runs/b/history.jsonl").read_text().splitlines()]
    loss, validation = (label for label in labels(page) if " by epoch" in label)
    assert re.fullmatch(r"Training loss by epoch, at last: a \d\.\d{4}; b \d\.\d{4}", loss)
    assert loss.endswith(f"b {history[-1]['loss']:.4f}")
    assert validation == f"Validation loss by epoch, at last: b {history[-1]['validation_loss']:.4f}"
    start = elements.cells.index("training.epochs")
    assert elements.cells[start : start + 3] == ["training.epochs", "100", "20"]
    assert "training.loss" not in elements.cells
    best = max("ab", key=lambda run: figures[run]["test"]["accuracy"])
    assert f"<h1>runs/{best} reaches the best test accuracy, " in page
    assert specnet("compare", "runs/a", "runs/b", "--format", "json", "--force").document == {
        "errors": [],
        "file": "compare.html",
    }


def test_the_page_asks_for_nothing(specnet: Specnet, folder: Path) -> None:
    train(specnet, "a", "b")
    assert specnet("compare", "a", "b", "-o", "page.html", "-q").out == ""
    page = (folder / "page.html").read_text("utf-8")
    elements = Elements(page)
    assert "default-src 'none'" in unescape(page)
    assert elements.tags.count("script") == 1  # the page's own
    assert all(address.startswith(("data:", "#")) for address in elements.addresses)
    assert "url(" not in page
    assert "All runs have the same resolved spec." in page
    assert "All 2 runs reach the same test accuracy" in page


def test_names_are_shown_as_text(specnet: Specnet, folder: Path) -> None:
    name = WILD.replace("/", "∕")
    train(specnet, name, "other")
    found = {"code": WILD, "severity": "warning", "sentence": WILD, "remedy": WILD, "changes": {}}
    (folder / name / "findings.json").write_text(json.dumps({"findings": [found]}))
    resolved = json.loads((folder / name / "spec.resolved.json").read_text())
    resolved["network"]["feature_names"] = [WILD, "second"]
    (folder / name / "spec.resolved.json").write_text(json.dumps(resolved))
    assert specnet("compare", name, "other").status == 0
    page = (folder / "compare.html").read_text("utf-8")
    elements = Elements(page)
    assert elements.tags.count("script") == 1  # the page's own
    assert name in elements.cells
    assert WILD in elements.cells
    assert any(WILD[:25] in cell for cell in elements.cells if cell.startswith("["))
    assert any(name in label for label in labels(page))


def test_many_runs_and_long_names(specnet: Specnet, folder: Path) -> None:
    train(specnet, "first")
    names = ["first"]
    for number in range(24):
        names.append(f"{number:02}{'x' * 200}")
        (folder / names[-1]).symlink_to(folder / "first", target_is_directory=True)
    assert specnet("compare", *names).status == 0
    page = (folder / "compare.html").read_text("utf-8")
    assert all(name in page for name in names)
    assert len(page) < 400_000
    # The second ten of lines are dashed, so that no two of the first twenty look alike.
    swatches = re.findall(r'<path class="line ([^"]*)" d="M1 7H21"', page)
    assert len(swatches) == 25
    assert len(set(swatches)) == 20


def test_members_of_an_ensemble_have_a_line_each(specnet: Specnet, folder: Path) -> None:
    train(specnet, "one")
    train(specnet, "three", training__ensemble="3")
    assert specnet("compare", "one", "three").status == 0
    page = (folder / "compare.html").read_text("utf-8")
    chart, _, _ = page[page.index("<h2>Curves") :].partition("</svg>")
    assert len(re.findall(r'class="line series-1"', chart)) == 3
    assert len(re.findall(r'class="line series-0"', chart)) == 1


def test_losses_that_differ_are_told(specnet: Specnet, folder: Path) -> None:
    train(specnet, "one")
    train(specnet, "two", training__loss="hinge", training__metrics="[]")
    assert specnet("compare", "one", "two").status == 0
    page = (folder / "compare.html").read_text("utf-8")
    assert "The runs minimize different losses" in page
    assert "no score of test rows in common" in page


OTHER_ROWS = "they are tested on different rows"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data__noise": "0.3"}, "their data differ"),
        ({"data__split__random_state": "5"}, OTHER_ROWS),
        ({"data__split__test_size": "0.4"}, OTHER_ROWS),
        ({"data__split": "{folds = 4, fold = 1}"}, OTHER_ROWS),
        # Test rows are cut first, by the state that both have.
        ({"data__split__validation_size": "0.3"}, None),
        ({"data__split": "{test_size = 0.25, random_state = 0, folds = 3, fold = 1, fold_part = 'validation'}"}, None),
    ],
)
def test_no_run_is_the_best_on_other_rows(
    specnet: Specnet, folder: Path, settings: dict[str, str], said: str | None
) -> None:
    train(specnet, "one", data__split__random_state="0", data__split__test_size="0.25")
    train(specnet, "two", **{"data__split__random_state": "0", "data__split__test_size": "0.25"} | settings)
    assert specnet("compare", "one", "two").status == 0
    page = (folder / "compare.html").read_text("utf-8")
    (heading,) = re.findall("<h1>(.*)</h1>", page)
    assert ("test accuracy" in heading) is (said is None)
    assert said is None or heading.startswith(f"2 runs side by side; {said}")
    hashes = [json.loads((folder / run / "run.json").read_text())["data_sha256"][:8] for run in ("one", "two")]
    assert all((f"<td>{each}…</td>" in page) is (hashes[0] != hashes[1]) for each in hashes)


def test_rows_that_say_where_they_belong_are_told_by_the_data_alone() -> None:
    by_column, by_time = (Split(**{key: "when"}, random_state=3).test_rule for key in ("column", "time"))
    assert by_column == Split(column="when").test_rule
    assert by_time == Split(time="when").test_rule
    assert by_time != Split(time="then").test_rule
    assert Split(group="who", random_state=3).test_rule != Split(group="who", random_state=4).test_rule


def test_a_setting_is_that_of_each_run() -> None:
    adam = "epochs = 20\noptimizer = {{ type = 'adam', beta_1 = {} }}"
    texts = [MOONS.replace("epochs = 20", new) for new in (adam.format(0.8), 'optimizer = "sgd"', adam.format(0.5))]
    rows = differing_settings([resolve(parse_spec(text)).spec for text in texts])
    # A field of adam is none of sgd's, and stands in its own row alone.
    assert list(rows.items()) == [
        ("training.optimizer", ("adam", "sgd", "adam")),
        ("training.optimizer.beta_1", ("0.8", "–", "0.5")),
        ("training.epochs", ("20", "100", "20")),
    ]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["runs/moons/1", "runs/moons/2"], ["run 1", "run 2"]),
        (["runs/moons/1", "runs/iris/1"], ["moons/1", "iris/1"]),
        (["one", "two/"], ["one", "two"]),
        (["a/b", "a/b"], ["b", "b"]),
        (["/x/a", "y"], ["/x/a", "y"]),
    ],
)
def test_short_names_tell_runs_apart(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["run.json", "metrics.json", "history.jsonl", "spec.resolved.json"])
def test_a_broken_run_is_an_error_and_no_page(specnet: Specnet, folder: Path, broken: str) -> None:
    train(specnet, "a", "b")
    for content in (b'{"finished": \xff', b"[]", None):
        if content is None:
            (folder / "b" / broken).unlink()
        else:
            (folder / "b" / broken).write_bytes(content)
        said = specnet("compare", "a", "b").failed(1)
        assert "b/" in said or "b:" in said
    assert not (folder / "compare.html").exists()


def test_what_cannot_be_compared_is_refused(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    train(specnet, "a")
    shutil.copytree("a", "empty")
    (folder / "empty/history.jsonl").write_text("")
    pinned(specnet("compare", "a", "empty").failed(1))
    (folder / "compare.html").write_text("mine")
    ended = specnet("compare", "a", "a")
    assert (ended.status, (folder / "compare.html").read_text()) == (2, "mine")
    assert "--force" in ended.err
    assert specnet("compare", "a", "a", "--force").status == 0


def test_a_folder_of_many_runs_stands_for_them(specnet: Specnet, folder: Path) -> None:
    assert specnet("run", "moons.toml", "--folds", "2", "-o", "many", "-q").status == 0
    train(specnet, "sweep/best")
    (folder / "sweep/sweep.json").write_text("{}")
    specnet("compare", "many", "sweep").went()
    page = Elements((folder / "compare.html").read_text("utf-8"))
    assert {"many/fold0", "many/fold1", "sweep/best"} <= set(page.cells)
    assert specnet("compare", "many", "--force").status == 0
    assert specnet("compare", "sweep").err.splitlines()[-1].strip() == "use `specnet report sweep`"
    (folder / "none").mkdir()
    (folder / "none/summary.json").write_text("{}")
    ended = specnet("compare", "none", "many", "--force")
    assert (ended.status, ended.err) == (1, "none: error[file]: none of the runs in this folder has finished\n")
