"""The page of a sweep: what its files say, whatever is in them, small and quickly made."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from specnet import FileError, nested_sweep, sweep
from specnet.number_texts import figure, rounded, true_minus
from specnet.report.pages.sweep_page import short_keys
from specnet.running.reports.folder_pages import page_again
from specnet.saved.summary import summarized
from tests.running.reports.page import Page
from tests.running.sweeps.made import METRICS, WILD, trial, write_sweep
from tests.texts.pinned import Pinned, Refused

MOONS = """
name = "moons"
data = { type = "make_moons", random_state = 0, noise = 0.2, split = { test_size = 0.2, validation_size = 0.2 } }
network = { hidden_layer_sizes = [5] }
training = { loss = "binary_crossentropy", epochs = 4, metrics = ["accuracy"], optimizer = "adam" }
[sweep]
trials = 4
[sweep.space]
"network.hidden_layer_sizes" = [[4], [16]]
"training.l2" = { low = 1e-6, high = 1e-2, log = true }
"""


def page_of(folder: Path) -> Page:
    text = page_again(folder).read_text("utf-8")
    page = Page(text)
    assert page.tags.isdisjoint({"b onclick=alert(1)", "link rel"})
    assert text.count("<script") == 1  # the page's own
    assert WILD not in text  # but as text
    return page


def said(page: Page) -> str:
    return re.sub(r"\s+", " ", " ".join(page.texts))


def labels(folder: Path) -> list[str]:
    return [unescape(each) for each in re.findall(r'aria-label="([^"]*)"', (folder / "report.html").read_text("utf-8"))]


def test_page_tells_what_the_files_say(tmp_path: Path, pinned: Pinned) -> None:
    figures = [0.5, 0.125, None, 0.25, 0.0625, None, 0.3]
    states = ["finished", "finished", "pruned", "finished", "finished", "diverged", "finished"]
    trials = [
        trial(k, value, state, message=f"it went {WILD}" if state == "diverged" else "", curve={1: 2.0, 5: 1.5})
        for k, (value, state) in enumerate(zip(figures, states, strict=True))
    ]
    folder = write_sweep(tmp_path / "sweep", trials)
    text = said(page_of(folder))
    pinned(text)
    for row in csv.DictReader((folder / "trials.csv").read_text().splitlines()):
        if row["figure"]:
            assert f"trial {row['trial']}: {figure(float(row['figure']))}" in text  # on hover
            assert rounded(float(row["training.l2"])) in text
    # Of a pruned trial as far as its validation loss was looked at: a fourth of 10 epochs.
    assert "trial 2: pruned at epoch 3" in text
    assert 'href="best/report.html"' in (folder / "report.html").read_text()


def test_curves_and_steps_are_where_the_figures_are(tmp_path: Path) -> None:
    """The path of the best so far goes through the figures that were better than all before."""
    folder = write_sweep(tmp_path / "sweep", [trial(k, value) for k, value in enumerate([0.5, 0.4, 0.45, 0.3])])
    page_again(folder)
    chart = next(
        chart
        for chart in re.findall(r"<svg[^>]*role=.*?</svg>", (folder / "report.html").read_text("utf-8"), re.DOTALL)
        if "Validation loss by trial" in chart
    )
    places = {
        int(number): (float(x), float(y))
        for x, y, number in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>trial (\d+)', chart)
    }
    line = re.search(r'class="line series-2" d="M([^"]+)"', chart)
    assert line is not None
    corners = [tuple(map(float, point.split())) for point in line[1].split("L")]
    (x0, y0), (x1, y1), (x2, _), (x3, y3) = places[0], places[1], places[2], places[3]
    assert corners == [(x0, y0), (x1, y0), (x1, y1), (x3, y1), (x3, y3)]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)


@pytest.mark.parametrize(
    ("trials", "metrics"),
    [
        ([], None),
        ([trial(0, None, "refused", message="no"), trial(1, None, "pruned")], None),
        ([trial(0, 0.5)], METRICS),
        ([trial(0, None, "pruned", curve={3: 1.0}), trial(1, 0.5)], METRICS),
        ([trial(0, 0.5), trial(1, 0.25)], None),
        ([trial(0, 0.5), trial(1, 0.5)], METRICS),
        ([trial(0, 0.5), trial(1, 0.4)], METRICS),
        ([trial(0, 0.5), trial(1, 0.4)], METRICS | {"test": {"loss": None, "accuracy": None}}),
        ([trial(0, 0.5)], {key: METRICS[key] for key in ("rows", "train")}),
    ],
)
def test_little_to_show(tmp_path: Path, trials: list[Any], metrics: dict[str, Any] | None, pinned: Pinned) -> None:
    folder = write_sweep(tmp_path / "sweep", trials, metrics=metrics)
    pinned(said(page_of(folder)))
    assert not [label for label in labels(folder) if "nan" in label or "inf" in label]


def test_interrupted_sweep_says_how_far_it_came(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(2, 0.25)], metrics=None, planned=9)
    assert "2 of 9 trials are done: use --resume to go on." in said(page_of(folder))
    longer = write_sweep(tmp_path / "longer", [trial(0, 0.5), trial(1, 0.25)], planned=1, name="")
    assert "unnamed · sweep" in said(page_of(longer))
    assert "The only trial reaches a validation loss of 0.5000" in said(page_of(longer))


def test_strip_has_the_best_trial_and_the_simpler_predictors_on_test_rows(tmp_path: Path) -> None:
    beside = {
        "intervals": {"test": {"accuracy": {"low": 0.7, "high": 0.96, "method": "Wilson"}}},
        "baselines": {"linear": {"test": {"loss": 0.25, "accuracy": 0.925}}},
        "baseline_intervals": {"linear": {"accuracy": {"low": 0.75, "high": 0.98, "method": "Wilson"}}},
    }
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5)], metrics=METRICS | beside)
    assert "The lines are 95 % intervals." in said(page_of(folder))
    strip = "Test accuracy: best trial 87.5 %, linear 92.5 %"
    assert labels(folder)[0] == strip
    svg = (folder / "report.html").read_text("utf-8").partition(strip)[2].partition("</svg>")[0]
    assert "linear 92.5 %, 95 % interval 75–98 %" in svg


@pytest.mark.parametrize(
    ("ends", "verdict"), [((-0.09, -0.01), "worse than"), ((-0.2, 0.1), "as good as"), ((0.01, 0.1), "better than")]
)
def test_page_begins_with_how_the_best_trial_compares(tmp_path: Path, ends: tuple[float, float], verdict: str) -> None:
    beside = {
        "baselines": {"linear": {"test": {"loss": 0.25, "accuracy": 0.925}}},
        "gains": {"linear": {"accuracy": {"low": ends[0], "value": -0.05, "high": ends[1]}}},
    }
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.6)], metrics=METRICS | beside)
    told = f"The best of 2 trials is {verdict} a linear model: 87.5 % against 92.5 % of 20 test rows."
    assert told in said(page_of(folder))


def test_larger_is_better(tmp_path: Path) -> None:
    figures = {0: 0.5, 1: 0.75, 2: 0.625, 3: -900.0}
    folder = write_sweep(tmp_path / "sweep", [trial(k, v) for k, v in figures.items()], metric="accuracy")
    text = said(page_of(folder))
    assert "The best of 4 trials reaches a validation accuracy of 75.0 %; on test rows its accuracy is 87.5 %." in text
    assert "Beyond the axis, as arrows at its end: 1 trial." in text
    assert "trial 1: 75.0 %" in text


def key_charts(folder: Path) -> dict[str, str]:
    """Return the charts of the searched keys, by key."""
    text = unescape(page_again(folder).read_text("utf-8")).partition('id="keys"')[2].partition("</section>")[0]
    return dict(re.findall(r"<figcaption>(?:<a [^>]*>)?<b>(.*?)\.</b>(.*?)</figure>", text, re.DOTALL))


def test_median_beyond_the_axis_is_an_arrow_that_says_it(tmp_path: Path) -> None:
    """Every third trial has drawn sgd, and is far behind the others."""
    figures = [0.7, 0.1, 0.11, 0.714, 0.12, 0.13, 0.8, 0.14, 0.15, 0.75]
    folder = write_sweep(tmp_path / "sweep", [trial(k, value) for k, value in enumerate(figures)])
    chart = key_charts(folder)["training.optimizer"]
    assert "Beyond the axis, the median of sgd(momentum=0.9): 0.7320." in chart
    assert re.findall(r'class="arrow whisker"[^>]*><title>([^<]*)', chart) == ["median of sgd(momentum=0.9): 0.7320"]
    assert re.findall(r'class="line whisker"[^>]*><title>([^<]*)', chart) == ["median of adam: 0.1250"]
    arrows = re.search(r'class="arrow" d="([^"]*)', chart)
    assert arrows is not None
    assert arrows[1].count("M") == 4


def test_trials_without_a_value_stand_faintly_beside_their_keys(tmp_path: Path) -> None:
    states = ["finished", "pruned", "finished", "pruned", "diverged", "finished", "pruned"]
    trials = [trial(k, 0.1 + k / 100 if state == "finished" else None, state) for k, state in enumerate(states)]
    charts = key_charts(write_sweep(tmp_path / "sweep", trials))
    for key, pruned, diverged in [("training.l2", 3, 1), ("training.optimizer.sgd.learning_rate", 2, 0)]:
        for style, number in (("series-5", pruned), ("series-7", diverged)):
            dots = re.findall(rf'class="cloud {style}" d="([^"]*)', charts[key])
            assert sum(each.count("M") for each in dots) == number


@pytest.mark.parametrize(("trials", "leading"), [(1, 1), (5, 1), (13, 4), (60, 10)])
def test_at_most_a_third_of_the_trials_stand_out(tmp_path: Path, trials: int, leading: int) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(k, 0.5 + k / 100) for k in range(trials)])
    assert len(re.findall(r'class="point class-2[^"]*"', key_charts(folder)["training.l2"])) == leading
    text = said(page_of(folder))
    assert (f"Green triangles are the {leading} best" in text) is (leading > 1)
    assert (f"What the first {leading} share is likely to matter" in text) is (leading > 1)


def test_nested_sweeps_are_told_by_their_best_runs(tmp_path: Path, pinned: Pinned) -> None:
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested" / "summary.json").write_text(json.dumps(summarized([METRICS, METRICS])))
    for fold in (10, 2):
        write_sweep(tmp_path / f"nested/fold{fold}", [trial(0, 0.5), trial(1, fold / 64)])
    write_sweep(tmp_path / "nested/fold3", [trial(0, None, "pruned")], metrics=None)
    text = said(page_of(tmp_path / "nested"))
    pinned(text)
    assert "likely to matter" not in text  # all of the searches draw alike
    for fold in (10, 2):
        (tmp_path / f"nested/fold{fold}/best/run.json").unlink()
    pinned(said(page_of(tmp_path / "nested")))


def test_curve_of_several_networks_is_their_mean(tmp_path: Path, pinned: Pinned) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5)])
    facts = json.loads((folder / "sweep.json").read_text())
    facts["identity"]["sweep"] |= {"folds": 3, "seeds": 2, "seed": 7, "parallel": 4}
    (folder / "sweep.json").write_text(json.dumps(facts))
    lines = [
        f'{{"epoch": {epoch}, "loss": 1.0, "validation_loss": {loss + epoch}, "fold": {fold}}}'
        for fold, (loss, epochs) in enumerate([(0.0, 3), (2.0, 2)])
        for epoch in range(1, epochs + 1)
    ]
    (folder / "trials" / "0000" / "history.jsonl").write_text("\n".join(lines) + "\n")
    pinned(said(page_of(folder)))
    # The first network alone has a third epoch: 3.0; the means before are 2.0 and 3.0.
    assert any("trial 0 at last 3.0000" in label for label in labels(folder))


def test_page_of_many_trials_is_small(tmp_path: Path) -> None:
    trials = [trial(k, 0.5 + 0.4 * (k * 0.618 % 1)) for k in range(300)]
    folder = write_sweep(tmp_path / "sweep", trials, epochs=400)
    assert page_again(folder).stat().st_size < 400_000


def test_page_of_a_thousand_trials_shows_dots_without_words(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(k, 1 / (k + 1)) for k in range(500)], epochs=2)
    text = page_again(folder).read_text()
    assert len(text) < 400_000
    assert 'class="cloud"' in text


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sweep.json", "{}"),
        ("sweep.json", "nothing"),
        ("trials/0001/run.json", "{}"),
        ("trials/0001/history.jsonl", "{}\n"),
        ("best/metrics.json", "{}"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, file: str, text: str, refused: Refused) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.25)])
    (folder / file).write_text(text)
    with refused(FileError, at=file.rpartition("/")[2]):
        page_again(folder)
    assert not (folder / "report.html").exists()


def test_trial_from_elsewhere_is_refused(tmp_path: Path, refused: Refused) -> None:
    """A written trial may have other values than those that are drawn."""
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.5)])
    for number, size in (("0000", '"[4]"'), ("0001", '"[16, 16]"')):
        path = folder / "trials" / number / "run.json"
        path.write_text(path.read_text().replace(size, '"[5]"'))
        if number == "0000":
            page_again(folder).unlink()
    with refused(FileError):
        page_again(folder)


def test_short_keys_tell_apart() -> None:
    keys = ["training.optimizer.sgd.learning_rate", "training.optimizer.adam.learning_rate", "training.l2", "network"]
    assert short_keys(keys) == ["sgd.learning_rate", "adam.learning_rate", "l2", "network"]
    assert short_keys(["a.b", "b"]) == ["a.b", "b"]


@pytest.mark.slow
def test_page_at_the_end_is_the_one_made_again(tmp_path: Path) -> None:
    result = sweep(MOONS, tmp_path / "sweep", jobs=1)
    page = (tmp_path / "sweep" / "report.html").read_bytes()
    assert page_again(tmp_path / "sweep").read_bytes() == page
    assert f"trial {result.best.number}: {figure(result.best.figure or 0)}" in page.decode()
    with_l2 = MOONS.replace("epochs = 4", "epochs = 4, l2 = 1e-4")
    nested = nested_sweep(with_l2, tmp_path / "nested", folds=2, jobs=1, trials=2)
    page = (tmp_path / "nested" / "report.html").read_bytes()
    assert page_again(tmp_path / "nested").read_bytes() == page
    text = page.decode()
    for fold, each in enumerate(nested.sweeps):
        assert f'href="fold{fold}/report.html"' in text
        assert f"{each.best.number} of 2" in text
        assert figure(each.worth["test"]["loss"] or 0) in text
        assert true_minus(rounded(float(each.best.settings["training.l2"]))) in text


@pytest.mark.parametrize(("best", "is_compared"), [("standardize", True), ("log", False)])
def test_a_test_loss_in_other_units_is_not_compared_with_trials(tmp_path: Path, best: str, is_compared: bool) -> None:
    """Trials are compared in the units of the spec as written, the run of the best one has its own."""
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.25)])
    facts = json.loads((folder / "sweep.json").read_text())
    spec = {"name": "prices", "seed": 0, "training": {"epochs": 10, "loss": {"type": "mse"}}}
    for step, path in (("standardize", None), (best, folder / "best/spec.resolved.json")):
        written = {**spec, "network": {"target_preprocessing": [{"type": step}]}}
        if path is None:
            (folder / "sweep.json").write_text(
                json.dumps({**facts, "identity": {**facts["identity"], "spec": written}})
            )
        else:
            path.write_text(json.dumps(written))
    text = said(page_of(folder))
    test = figure(METRICS["test"]["loss"])
    assert (f"the loss there, {test}, is what to expect" in text) == is_compared
    assert ("on test rows its loss is" in text) == is_compared
    assert ("The test loss of its run is in other units" in text) != is_compared
