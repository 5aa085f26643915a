"""`specnet compare`: several runs in one page."""

import json
import re
import shutil
from html import escape, unescape
from pathlib import Path

import pytest

from specnet import parse_spec, resolve
from specnet.report.pages.comparison_page import differing_settings, short_names
from tests.cli.conftest import MOONS, spec_of_rows

WILD = "<script>alert(1)</script>&\"']]>"


@pytest.fixture
def train(specnet):
    """Return a function that makes runs of the small spec, with settings."""

    def train(runs, *settings):
        options = [word for setting in settings for word in ("--set", setting)]
        for run in runs.split(","):
            specnet("run", "moons.toml", "-o", run, "-q", "--no-report", *options).ok()

    return train


def cells(page):
    """Return the texts of the cells of a page's tables."""
    found = re.findall(r"<(t[dh])\b[^>]*>(.*?)</\1>", page, re.DOTALL)
    return [unescape("".join(text.strip() for text in re.split("<[^>]*>", cell))) for _, cell in found]


def labels(page):
    return [unescape(label) for label in re.findall(r'aria-label="([^"]*)"', page)]


def read_json(path):
    return json.loads(path.read_text())


def test_scores_curves_and_settings_of_runs(specnet, folder, train):
    train("runs/a", "training.epochs=100", "training.optimizer.learning_rate=0.05")
    train("runs/b", "data.split.validation_size=0.2")
    verdict, file = specnet("compare runs/a runs/b").went().splitlines()
    assert file == "compare.html"
    page = (folder / "compare.html").read_text("utf-8")
    shown = cells(page)
    figures = {run: read_json(folder / "runs" / run / "metrics.json") for run in "ab"}
    for run in "ab":
        assert shown[shown.index(run) + 2] == f"{figures[run]['test']['loss']:.4f}"
    # Each run that has a figure has its line, with its last value.
    history = [json.loads(line) for line in (folder / "runs/b/history.jsonl").read_text().splitlines()]
    loss, validation = (label for label in labels(page) if " by epoch" in label)
    assert re.fullmatch(r"Training loss by epoch, in the last one: a \d\.\d{4}; b \d\.\d{4}", loss)
    assert loss.endswith(f"b {history[-1]['loss']:.4f}")
    assert validation == f"Validation loss by epoch, in the last one: b {history[-1]['validation_loss']:.4f}"
    start = shown.index("training.epochs")
    assert shown[start : start + 3] == ["training.epochs", "100", "20"]
    assert "training.loss" not in shown
    # The gains of the better run over the other one and over simpler predictors are on one axis, and the terminal has
    # the same sentence.
    assert f"<h1>{escape(verdict)}</h1>" in page
    (strip,) = (label for label in labels(page) if label.startswith("Gain of "))
    winner, _, gain = strip.removeprefix("Gain of ").partition(": ")
    (other,) = {*"ab"} - {winner}
    assert gain.startswith(f"{other} ")
    assert all(f", {name} " in gain for name in figures[winner]["baselines"])
    assert verdict.startswith(
        (f"Run {winner} is better than {other}: test ", f"No clear difference: {winner} has the best")
    )
    document = specnet("compare runs/a runs/b --format json --force").document
    assert document == {"errors": [], "file": "compare.html", "verdict": verdict}


def test_runs_whose_rows_are_gone_are_not_ranked(specnet, folder, train):
    train("a,b")
    for run in "ab":
        facts = read_json(folder / run / "run.json") | {"data_sha256": "0" * 64}
        (folder / run / "run.json").write_text(json.dumps(facts))
    verdict, _ = specnet("compare a b").went().splitlines()
    changed = "a: The rows that the spec describes have changed since the run."
    assert verdict == f"2 runs side by side; {changed} Restore them, then compare again."
    verdict, _ = specnet("compare a a --force").went().splitlines()
    assert verdict == "2 runs side by side; a run is named twice. Name each run once."


def test_the_page_fetches_nothing(specnet, folder, train):
    train("a,b")
    assert specnet("compare a b -o page.html -q").out == ""
    page = (folder / "page.html").read_text("utf-8")
    assert "default-src 'none'" in unescape(page)
    assert page.count("<script") == 1  # the page's own
    addresses = re.findall(r'<[^>]*\s(?:src|href|action|data)="([^"]*)"', page)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in page
    assert "All runs have the same resolved spec." in page
    assert "No clear difference: all 2 runs reach the same test accuracy" in page


def test_names_are_shown_as_text(specnet, folder, train):
    name = WILD.replace("/", "∕")
    train(f"{name},other")
    found = {"code": WILD, "severity": "warning", "sentence": WILD, "remedy": WILD, "changes": {}}
    (folder / name / "findings.json").write_text(json.dumps({"findings": [found]}))
    resolved = read_json(folder / name / "spec.resolved.json")
    resolved["network"]["feature_names"] = [WILD, "second"]
    (folder / name / "spec.resolved.json").write_text(json.dumps(resolved))
    specnet("compare", name, "other").ok()
    page = (folder / "compare.html").read_text("utf-8")
    assert page.count("<script") == 1  # the page's own
    assert {name, WILD} <= set(cells(page))
    assert any(WILD[:25] in cell for cell in cells(page) if cell.startswith("["))
    assert any(name in label for label in labels(page))


def test_many_runs_and_long_names(specnet, folder, train):
    train("first")
    names = ["first", *(f"{number:02}{'x' * 200}" for number in range(24))]
    for name in names[1:]:
        (folder / name).symlink_to(folder / "first", target_is_directory=True)
    specnet("compare", *names).ok()
    page = (folder / "compare.html").read_text("utf-8")
    assert all(name in page for name in names)
    assert len(page) < 400_000
    # The second ten of lines are dashed, so that no two of the first twenty are alike.
    swatches = re.findall(r'<path class="line ([^"]*)" d="M1 7H21"', page)
    assert (len(swatches), len(set(swatches))) == (25, 20)


def test_members_of_an_ensemble_have_a_line_each_and_losses_that_differ_are_reported(specnet, folder, train):
    train("one")
    train("three", "training.ensemble=3", "training.loss=hinge", "training.metrics=[]")
    specnet("compare one three").ok()
    page = (folder / "compare.html").read_text("utf-8")
    chart, _, _ = page[page.index("<h2>Curves") :].partition("</svg>")
    assert [len(re.findall(f'class="line series-{run}"', chart)) for run in (0, 1)] == [1, 3]
    assert "The runs minimize different losses" in page
    assert "no score of test rows in common" in page


OTHER_ROWS = "they are tested on different rows"


@pytest.mark.parametrize(
    ("setting", "reported"),
    [
        ("data.noise=0.3", "their data differ"),
        ("data.split.random_state=5", OTHER_ROWS),
        ("data.split.test_size=0.4", OTHER_ROWS),
        ("data.split={folds = 4, fold = 1}", OTHER_ROWS),
        # Test rows are cut first, by the state that both have.
        ("data.split.validation_size=0.3", None),
        ("data.split={test_size = 0.25, random_state = 0, folds = 3, fold = 1, fold_part = 'validation'}", None),
    ],
)
def test_no_run_is_the_best_on_other_rows(specnet, folder, train, setting, reported):
    split = ["data.split.random_state=0", "data.split.test_size=0.25"]
    train("one", *split)
    train("two", *(each for each in split if each.partition("=")[0] not in setting), setting)
    specnet("compare one two").ok()
    page = (folder / "compare.html").read_text("utf-8")
    (heading,) = re.findall("<h1>(.*)</h1>", page)
    assert ("test accuracy" in heading) is (reported is None)
    assert reported is None or heading.startswith(f"2 runs side by side; {reported}")
    hashes = [read_json(folder / run / "run.json")["data_sha256"][:8] for run in ("one", "two")]
    assert all((f"<td>{each}…</td>" in page) is (hashes[0] != hashes[1]) for each in hashes)


def test_runs_on_folds_of_one_split_are_compared_by_their_means(specnet, train):
    for fold in (0, 1):
        train(f"fold{fold}", f"data.split={{folds = 3, fold = {fold}}}")
    verdict = specnet("compare fold0 fold1").went().splitlines()[0]
    assert verdict == (
        "2 runs side by side; they are tested on different folds, and so their scores cannot be ranked; compare "
        "means over folds."
    )


def test_runs_of_a_series_that_failed_are_named_first(specnet, folder):
    specnet("run moons.toml --seeds 3 -o many -q").ok()
    shutil.rmtree(folder / "many/seed2")
    table = (folder / "many/runs.csv").read_text().splitlines()
    table[3] = table[3].replace(",finished,", ",diverged,")
    (folder / "many/runs.csv").write_text("\n".join([*table, ""]))
    verdict = specnet("compare many").went().splitlines()[0].replace("\N{NO-BREAK SPACE}", " ")
    assert verdict.startswith("Not finished: many (diverged: 1 of 3 runs). ")
    assert f"<h1>{verdict}</h1>" in (folder / "compare.html").read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")


def test_rows_that_say_where_they_belong_are_told_by_the_data_alone():
    def test_rule(**split):
        return parse_spec(spec_of_rows(split=split)).data.split.test_rule

    assert test_rule(column="when", random_state=3) == test_rule(column="when")
    assert test_rule(time="when", random_state=3) == test_rule(time="when") != test_rule(time="then")
    assert test_rule(group="who", random_state=3) != test_rule(group="who", random_state=4)


def test_a_setting_is_that_of_each_run():
    adam = "epochs = 20\noptimizer = {{ type = 'adam', beta_1 = {} }}"
    texts = [MOONS.replace("epochs = 20", new) for new in (adam.format(0.8), 'optimizer = "sgd"', adam.format(0.5))]
    rows = differing_settings([resolve(parse_spec(text)).spec for text in texts])
    # A field of adam is none of sgd's, and stands in its own row alone.
    assert list(rows.items()) == [
        ("training.optimizer", ("adam", "sgd", "adam")),
        ("training.optimizer.beta_1", ("0.8", "–", "0.5")),
        ("training.epochs", ("20", "100", "20")),
    ]


SHORT = {
    "runs/moons/1 runs/moons/2": ["run 1", "run 2"],
    "runs/moons/1 runs/iris/1": ["moons/1", "iris/1"],
    "one two/": ["one", "two"],
    "a/b a/b": ["b", "b"],
    "/x/a y": ["a", "y"],
    "/x/runs/a runs/a": ["x/runs/a", "y/runs/a"],
    "runs/moons/1 /x/b": ["moons/1", "b"],
    "sweeps/first/best many/fold0": ["first", "fold0"],
}


@pytest.mark.parametrize("names", SHORT)
def test_short_names_tell_runs_apart(names, monkeypatch):
    monkeypatch.setattr(Path, "absolute", lambda path: Path("/y") / path)
    assert short_names([Path(name) for name in names.split()]) == SHORT[names]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["run.json", "metrics.json", "history.jsonl", "spec.resolved.json"])
def test_a_broken_run_is_an_error_and_no_page(specnet, folder, ran, broken):
    ran("a")
    ran("b")
    for content in (b'{"finished": \xff', b"[]", None):
        if content is None:
            (folder / "b" / broken).unlink()
        else:
            (folder / "b" / broken).write_bytes(content)
        reported = specnet("compare a b").failed(1)
        assert "b/" in reported or "b:" in reported
    assert not (folder / "compare.html").exists()


def test_what_cannot_be_compared_is_refused(specnet, folder, ran, pinned):
    shutil.copytree(ran("a"), "empty")
    (folder / "empty/history.jsonl").write_text("")
    pinned(specnet("compare a empty").failed(1))


def test_a_folder_of_many_runs_stands_for_them(specnet, folder, train):
    specnet("run moons.toml --folds 2 -o many -q").ok()
    train("sweep/best")
    (folder / "sweep/sweep.json").write_text("{}")
    specnet("compare many sweep").went()
    assert {"fold0", "fold1", "sweep"} <= set(cells((folder / "compare.html").read_text("utf-8")))
    specnet("compare many --force").ok()
    assert specnet("compare sweep").err.splitlines()[-1].strip() == "use `specnet report sweep`"
    (folder / "none").mkdir()
    (folder / "none/summary.json").write_text("{}")
    reported = specnet("compare none many --force").failed(1)
    assert reported == "none: error[file]: none of the runs in this folder has finished\n"
