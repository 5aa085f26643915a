"""Pages of sweeps, and of folds and seeds: what their files say, whatever is in them, small and quickly made."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from specnet import FileError, nested_sweep, run_many, sweep
from specnet.number_texts import figure, metric, rounded, true_minus
from specnet.report.pages.headline import BASELINES
from specnet.report.pages.series_page import SeriesView
from specnet.running.folder_pages import page_again
from specnet.saved.saved_run import read_curves
from specnet.saved.saved_series import SavedSeries
from tests.running.reports.page import Page
from tests.running.sweeps.made import METRICS, WILD, scores, trial, write_series, write_summary, write_sweep
from tests.texts.pinned import Pinned, Refused

SWEEP = """
name = "moons"
data = { type = "make_moons", random_state = 0, noise = 0.2, split = { test_size = 0.2, validation_size = 0.2 } }
network = { hidden_layer_sizes = [5] }
training = { loss = "binary_crossentropy", epochs = 4, metrics = ["accuracy"], optimizer = "adam", l2 = 1e-4 }
[sweep]
trials = 4
[sweep.space]
"network.hidden_layer_sizes" = [[4], [16]]
"training.l2" = { low = 1e-6, high = 1e-2, log = true }
"""


def said(folder: Path) -> str:
    """Make a page, and return what it says before the texts on how to read it."""
    text = page_again(folder).read_text("utf-8")
    page = Page(text)
    assert page.tags.isdisjoint({"b onclick=alert(1)", "link rel"})
    assert text.count("<script") == 1  # the page's own
    assert WILD not in text  # but as text
    return re.sub(r"\s+", " ", " ".join(page.texts)).split("How to read your report")[0]


def labels(folder: Path) -> list[str]:
    return [
        unescape(each)
        for each in re.findall(r'role="img" aria-label="([^"]*)"', (folder / "report.html").read_text("utf-8"))
    ]


TEST_IS_NULL = METRICS | {"test": {"loss": None, "accuracy": None}}
LITTLE: list[tuple[list[Any], dict[str, Any] | None]] = [
    ([], None),
    ([trial(0, None, "refused", message="no"), trial(1, None, "pruned")], None),
    ([trial(0, 0.5)], METRICS),
    ([trial(0, None, "pruned", curve={3: 1.0}), trial(1, 0.5)], METRICS),
    ([trial(0, 0.5), trial(1, 0.25)], None),
    ([trial(0, 0.5), trial(1, 0.5)], METRICS),
    ([trial(0, 0.5), trial(1, 0.4)], METRICS),
    ([trial(0, 0.5), trial(1, 0.4)], TEST_IS_NULL),
    ([trial(0, 0.5)], {key: METRICS[key] for key in ("rows", "train")}),
]
LITTLE_OF_RUNS: list[list[Any]] = [
    [("fold0", None, 0, f"it {WILD}"), ("fold1", None, 1, "no")],
    [("fold0", None, 0, "gone")],
    [("fold0", None, 0, f"it {WILD}"), ("fold1", None, 1, scores(0.5, 0.75))],
    [("seed3", 3, None, scores(0.5, 0.75))],
    [("seed3", 3, None, scores(0.5, None)), ("seed4", 4, None, scores(0.5, None))],
    [("seed3", 3, None, scores(0.5, 0.5)), ("seed4", 4, None, scores(0.5, 0.5))],
    [("seed3", 3, None, {"train": {"loss": 0.5}})],
]


@pytest.mark.parametrize("case", range(len(LITTLE) + len(LITTLE_OF_RUNS)))
def test_little_to_show(tmp_path: Path, case: int, pinned: Pinned) -> None:
    if case < len(LITTLE):
        trials, metrics = LITTLE[case]
        folder = write_sweep(tmp_path / "sweep", trials, metrics=metrics)
    else:
        folder = write_series(tmp_path / "many", LITTLE_OF_RUNS[case - len(LITTLE)])
    pinned(said(folder))
    assert not [label for label in labels(folder) if "nan" in label or "inf" in label]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sweep.json", "{}"),
        ("sweep.json", "nothing"),
        ("trials/0001/run.json", "{}"),
        ("trials/0001/history.jsonl", "{}\n"),
        ("best/metrics.json", "{}"),
        ("runs.csv", "run,seed\nfold0,0\n"),
        ("runs.csv", "run,seed,fold,state,epochs,message\n../fold0,,0,finished,1,\n"),
        ("summary.json", '{"test": {"loss": 1}}'),
        ("summary.json", "{}"),
        ("summary.json", '{"test": {}}'),
        ("fold0/run.json", "{}"),
        ("fold0/history.jsonl", '{"epoch": 1, "loss": }\n'),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, file: str, text: str, refused: Refused) -> None:
    sweep = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.25)])
    series = write_series(tmp_path / "many", [("fold0", None, 0, scores(0.5, 0.75))])
    folder = sweep if (sweep / file).exists() else series
    (folder / file).write_text(text)
    with refused(FileError, at=file.rpartition("/")[2]):
        page_again(folder)
    assert not (folder / "report.html").exists()


def test_pages_of_many_long_runs_are_small(tmp_path: Path) -> None:
    trials = [trial(k, 0.5 + 0.4 * (k * 0.618 % 1)) for k in range(300)]
    long = write_sweep(tmp_path / "long", trials, epochs=400)
    many = write_sweep(tmp_path / "trials", [trial(k, 1 / (k + 1)) for k in range(500)], epochs=2)
    runs = [(f"seed{k}", k, None, scores(0.5 + k / 100, 0.5 + k / 300)) for k in range(100)]
    series = write_series(tmp_path / "many", runs)
    line = '{{"epoch": {n}, "loss": {loss}, "validation_loss": {loss}}}\n'
    history = "".join(line.format(n=n, loss=1 / n + 0.01 * (n % 7)) for n in range(1, 1001))
    for path in series.glob("*/history.jsonl"):
        path.write_text(history)
    assert all(page_again(folder).stat().st_size < 400_000 for folder in (long, many, series))
    assert 'class="cloud"' in (many / "report.html").read_text()  # dots without words


@pytest.mark.slow
def test_page_at_the_end_is_the_one_made_again(tmp_path: Path) -> None:
    result = sweep(SWEEP, tmp_path / "sweep", jobs=1)
    nested = nested_sweep(SWEEP, tmp_path / "nested", folds=2, jobs=1, trials=2)
    of_folds = SWEEP.partition("[sweep]")[0].replace("test_size = 0.2, ", "")
    series = run_many(of_folds, tmp_path / "many", folds=2)
    pages = {name: (tmp_path / name / "report.html").read_bytes() for name in ("sweep", "nested", "many")}
    for name, page in pages.items():
        assert page_again(tmp_path / name).read_bytes() == page
    texts = {name: page.decode() for name, page in pages.items()}
    assert f"trial {result.best.number}: {figure(result.best.figure or 0)}" in texts["sweep"]
    for fold, each in enumerate(nested.sweeps):
        assert f'href="fold{fold}/report.html"' in texts["nested"]
        assert f'<td class="number">2</td><td class="number">{each.best.number}</td>' in texts["nested"]
        assert figure(each.worth["test"]["loss"] or 0) in texts["nested"]
        assert true_minus(rounded(float(each.best.settings["training.l2"]))) in texts["nested"]
    for run in series.runs:
        assert f"{run.name}: {metric('accuracy', run.metrics['test']['accuracy'] or 0)}" in texts["many"]
    (tmp_path / "many/report.html").unlink()
    assert run_many(of_folds, tmp_path / "many", folds=2, resume=True, report=False).runs == series.runs
    assert not (tmp_path / "many/report.html").exists()


def test_page_of_a_sweep_has_what_its_files_have(tmp_path: Path, pinned: Pinned) -> None:
    figures = [0.5, 0.125, None, 0.25, 0.0625, None, 0.3]
    states = ["finished", "finished", "pruned", "finished", "finished", "diverged", "finished"]
    trials = [
        trial(k, value, state, message=f"it went {WILD}" if state == "diverged" else "", curve={1: 2.0, 5: 1.5})
        for k, (value, state) in enumerate(zip(figures, states, strict=True))
    ]
    folder = write_sweep(tmp_path / "sweep", trials)
    text = said(folder)
    pinned(text)
    for row in csv.DictReader((folder / "trials.csv").read_text().splitlines()):
        if row["figure"]:
            assert f"trial {row['trial']}: {figure(float(row['figure']))}" in text  # on hover
            assert rounded(float(row["training.l2"])) in text
    assert "calibrated" not in text
    # Of a pruned trial as far as its validation loss was looked at: a fourth of 10 epochs.
    assert "trial 2: pruned at epoch 3" in text
    assert 'href="best/report.html"' in (folder / "report.html").read_text()


def test_a_loss_of_calibrated_outputs_is_called_so(tmp_path: Path):
    trials = [trial(k, value) for k, value in enumerate([0.5, 0.4, 0.45])]
    text = said(write_sweep(tmp_path / "sweep", trials, figure="calibrated_loss"))
    assert "Trial 1 was chosen as the best of 3 by its calibrated validation loss, 0.4000." in text
    assert "Calibrated validation loss by trial" in text
    assert re.search(r"rows\s+calibrated loss\s+loss\s", text), "a column of its own beside those of runs"


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
    corners = [tuple(map(float, point.split())) for point in line[1].split("L")]
    (x0, y0), (x1, y1), (x2, _), (x3, y3) = places[0], places[1], places[2], places[3]
    assert corners == [(x0, y0), (x1, y0), (x1, y1), (x3, y1), (x3, y3)]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)


def test_interrupted_sweep_says_how_far_it_came(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(2, 0.25)], metrics=None, planned=9)
    text = said(folder)
    assert "To finish the sweep, repeat the command with --resume ." in text
    assert re.search(r"specnet Not finished: 2 of 9 trials\. The best of 2 trials ", text)
    longer = write_sweep(tmp_path / "longer", [trial(0, 0.5), trial(1, 0.25)], planned=1, name="")
    assert "unnamed · sweep" in said(longer)
    assert "The only trial reaches a validation loss of 0.5000" in said(longer)


def test_a_sweep_begins_with_the_gains_of_its_best_trial_on_test_rows(tmp_path: Path) -> None:
    beside = {
        "baselines": {"linear": {"test": {"loss": 0.25, "accuracy": 0.925}}},
        "gains": {"linear": {"accuracy": {"low": -0.11, "value": -0.05, "high": 0.02, "p_value": 0.2}}},
    }
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5)], metrics=METRICS | beside)
    assert "Accuracy of the best trial on test rows: 87.5 %. Lines are 95 % intervals of paired" in said(folder)
    strip = "Gain over simpler predictors: linear 92.5 %: −5.0 points"
    assert labels(folder)[0] == strip
    svg = (folder / "report.html").read_text("utf-8").partition(strip)[2].partition("</svg>")[0]
    assert "linear 92.5 %: −5.0 points, 95 % interval −11.0 to +2.0 points" in svg


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((-0.09, -0.01), "Worse than"), ((-0.2, 0.1), "No clear difference from"), ((0.01, 0.1), "Better than")],
)
def test_page_begins_with_how_the_best_trial_compares(tmp_path: Path, ends: tuple[float, float], verdict: str) -> None:
    beside = {
        "baselines": {"linear": {"test": {"loss": 0.25, "accuracy": 0.925}}},
        "gains": {"linear": {"accuracy": {"low": ends[0], "value": sum(ends) / 2, "high": ends[1]}}},
    }
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.6)], metrics=METRICS | beside)
    told = f"{verdict} a linear model: 87.5 % against 92.5 % of 20 test rows. This is the best of 2 trials."
    assert told in said(folder)


def test_larger_is_better(tmp_path: Path) -> None:
    figures = {0: 0.5, 1: 0.75, 2: 0.625, 3: -900.0}
    folder = write_sweep(tmp_path / "sweep", [trial(k, v) for k, v in figures.items()], metric="accuracy")
    text = said(folder)
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
    assert arrows[1].count("M") == 4


def test_trials_without_a_value_are_in_a_margin_and_not_on_the_scale(tmp_path: Path) -> None:
    states = ["finished", "pruned", "finished", "pruned", "diverged", "finished", "pruned"]
    trials = [trial(k, 0.1 + k / 100 if state == "finished" else None, state) for k, state in enumerate(states)]
    charts = key_charts(write_sweep(tmp_path / "sweep", trials))
    for key, pruned, diverged in [("training.l2", 3, 1), ("training.optimizer.sgd.learning_rate", 2, 0)]:
        lowest = max(float(y) for y in re.findall(r'class="grid" d="M[\d.]+ ([\d.]+)H', charts[key]))  # of the margin
        for style, number in (("class-5", pruned), ("class-7", diverged)):
            found = re.findall(rf'class="point {style} small" d="([^"]*)', charts[key])
            places = [float(y) for marks in found for y in re.findall(r"M[\d.]+ ([\d.]+)m", marks)]
            assert len(places) == number
            assert all(y > lowest + 3 for y in places)
        assert ">no value</text>" in charts[key]


@pytest.mark.parametrize(("trials", "leading"), [(1, 1), (5, 1), (13, 4), (60, 10)])
def test_at_most_a_third_of_the_trials_stand_out(tmp_path: Path, trials: int, leading: int) -> None:
    folder = write_sweep(tmp_path / "sweep", [trial(k, 0.5 + k / 100) for k in range(trials)])
    assert len(re.findall(r'class="point class-2[^"]*"', key_charts(folder)["training.l2"])) == leading
    text = said(folder)
    assert (f"Green triangles are the {leading} best" in text) is (leading > 1)
    assert (f"A setting that the first {leading} trials share and the others do not have is likely" in text) is (
        leading > 1
    )


def test_pages_begin_with_what_has_not_finished(tmp_path: Path) -> None:
    runs = [(f"fold{fold}", None, fold, scores(0.25, 0.75)) for fold in (0, 1)]
    folder = write_series(tmp_path / "many", [*runs, ("fold2", None, 2, "the loss is not finite")])
    (heading,) = re.findall("<h1>(.*?)</h1>", page_again(folder).read_text("utf-8"))
    assert heading.startswith("1 of 3 runs diverged. The other 2 average a test accuracy of 75.0")
    text = said(folder)
    assert re.search("run state test accuracy .* fold2 diverged: the loss is not finite – ", text)
    assert "no value" in text  # where the fold that diverged is drawn
    assert "every row is tested once" not in text


def test_nested_sweeps_are_told_by_their_best_runs(tmp_path: Path, pinned: Pinned) -> None:
    write_summary(tmp_path / "nested", [METRICS, METRICS])
    for fold in (10, 2):
        write_sweep(tmp_path / f"nested/fold{fold}", [trial(0, 0.5), trial(1, fold / 64)])
    write_sweep(tmp_path / "nested/fold3", [trial(0, None, "pruned")], metrics=None)
    text = said(tmp_path / "nested")
    pinned(text)
    assert "likely to matter" not in text  # all of the searches draw alike
    facts = json.loads((tmp_path / "nested/fold2/sweep.json").read_text())
    facts["identity"]["spec"]["data"] = {"split": {"folds": 12}}
    (tmp_path / "nested/fold2/sweep.json").write_text(json.dumps(facts))
    assert "10 of 12 sweeps did not finish. The results of the other 2 average a test accuracy" in said(
        tmp_path / "nested"
    )
    for fold in (10, 2):
        (tmp_path / f"nested/fold{fold}/best/run.json").unlink()
    pinned(said(tmp_path / "nested"))


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
    pinned(said(folder))
    # The first network alone has a third epoch: 3.0; the means before are 2.0 and 3.0.
    assert any("trial 0 in the last epoch 3.000" in label for label in labels(folder))


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


@pytest.mark.parametrize(("best", "is_compared"), [("standardize", True), ("log", False)])
def test_a_test_loss_in_other_units_is_not_compared_with_trials(tmp_path: Path, best: str, is_compared: bool) -> None:
    """Trials are compared in the units of the spec as written, the run of the best one has its own."""
    folder = write_sweep(tmp_path / "sweep", [trial(0, 0.5), trial(1, 0.25)])
    facts = json.loads((folder / "sweep.json").read_text())
    spec = {"name": "prices", "seed": 0, "training": {"epochs": 10, "loss": {"type": "mse"}}}
    written = {**spec, "network": {"target_preprocessing": [{"type": "standardize"}]}}
    (folder / "sweep.json").write_text(json.dumps(facts | {"identity": facts["identity"] | {"spec": written}}))
    of_the_best = {**spec, "network": {"target_preprocessing": [{"type": best}]}}
    (folder / "best/spec.resolved.json").write_text(json.dumps(of_the_best))
    text = said(folder)
    test = figure(METRICS["test"]["loss"])
    assert (f"the loss there, {test}, is what to expect" in text) == is_compared
    assert ("on test rows its loss is" in text) == is_compared
    assert ("The test loss of its run has another unit" in text) != is_compared


def test_page_of_folds_and_seeds_has_what_their_files_have(tmp_path: Path, pinned: Pinned) -> None:
    found = {(seed, fold): scores(0.25 + 0.125 * fold, 0.75 + 0.0625 * seed) for seed in (0, 1) for fold in (0, 1, 2)}
    runs = [(f"seed{seed}_fold{fold}", seed, fold, found[seed, fold]) for seed, fold in found]
    folder = write_series(tmp_path / "many", runs)
    text = said(folder)
    pinned(text)
    for name, *_, metrics in runs:
        assert f"{name}: {metric('loss', metrics['test']['loss'] or 0)}" in text  # on hover
    (folder / "seed0_fold0/spec.resolved.json").write_text("{}")
    assert said(folder).startswith(" unnamed · folds and seeds")


def beside(accuracy: float, linear: float) -> dict[str, Any]:
    """Return the metrics of a run, and those of a linear model on its rows."""
    return {**scores(0.5, accuracy), "baselines": {"linear": scores(0.25, linear), "constant": scores(0.7, 0.5)}}


def test_spread_is_of_seeds_within_folds_and_of_folds_beyond_that(tmp_path: Path) -> None:
    """Seeds differ by 3 points on each fold, now for the better and now for the worse: their means are the same."""
    folder = write_series(
        tmp_path / "many",
        [(f"seed{s}_fold{f}", s, f, scores(0.5, 0.9 + 0.03 * s * (-1) ** f)) for s in (0, 1) for f in range(4)],
    )
    text = said(folder)
    assert "Between seeds on the same fold the standard deviation is 2.1 points" in text
    assert "different rows, add a standard deviation of 0.9 points" in text
    runs = [(f"seed{s}_fold{f}", s, f, scores(0.5, 0.9 + 0.03 * s * (f < 3))) for s in (0, 1) for f in range(4)]
    runs[-1] = (*runs[-1][:3], "gone")
    assert "Seeds on one fold" not in said(write_series(tmp_path / "gap", runs))


@pytest.mark.parametrize(
    ("others", "rival", "outcome"),
    [
        ({"linear": 0.8, "neighbours": 0.97}, "the 15 nearest neighbours", -1),
        ({"linear": 0.8, "constant": 0.97}, "a constant answer", -1),
        ({"linear": 0.8, "neighbours": 0.7}, "a linear model", 1),
        ({"neighbours": 0.9, "linear": 0.8}, "the 15 nearest neighbours", 0),
        # Without the others, a difference of 3 points would be too large for chance.
        ({"linear": 0.93}, "a linear model", -1),
        ({"linear": 0.93, "neighbours": 0.92, "trees": 0.92, "constant": 0.5}, "a linear model", 0),
    ],
)
def test_folds_are_compared_with_the_best_of_all_simpler_predictors(
    tmp_path: Path, others: dict[str, float], rival: str, outcome: int
) -> None:
    """The networks have 90 %, 0.7 points more or less beside the others in each fold."""
    runs = []
    for fold, off in enumerate((-0.007, 0.0, 0.007)):
        baselines = {name: scores(0.5, accuracy - off) for name, accuracy in others.items()}
        runs.append((f"fold{fold}", None, fold, {**scores(0.5, 0.9), "baselines": baselines}))
    record = SeriesView(SavedSeries(write_series(tmp_path / "many", runs)))
    assert (BASELINES[record.reference], record.outcome) == (rival, outcome)


def test_linear_model_of_the_same_folds_stands_beside_the_network(tmp_path: Path) -> None:
    found = [(0.90, 0.92), (0.95, 0.95), (0.85, 0.89)]
    folder = write_series(tmp_path / "many", [(f"fold{k}", None, k, beside(*each)) for k, each in enumerate(found)])
    text = said(folder)
    assert (
        "No clear difference from a linear model: 3 runs average a test accuracy of 90.0 % ± 5.0 against 92.0 %."
        in text
    )
    # −2 points, whose deviation over folds is 2; Student's t for two degrees of freedom is 4.303.
    half = 4.303 * 2 * (1 / 3 + 1 / 2) ** 0.5
    assert f"linear 92.0 %: −2.0 points, 95 % interval −{half + 2:.1f} to +{half - 2:.1f} points" in text
    assert "95 % intervals of paired differences over folds (Student's t, for training rows in common)." in text
    assert "fold 2, a linear model: 89.0 %" in text  # in the chart
    assert "fold2 85.0 % 89.0 % 0.5000" in text  # in the table
    assert "test, a constant answer 50.0 % ± 0.0 0.7000 ± 0.0000" in text
    seeds = write_series(tmp_path / "seeds", [(f"seed{k}", k, None, beside(0.9, 0.95)) for k in range(2)])
    assert "average a test accuracy of 90.0 % ± 0.0; on the same rows a linear model has 95.0 %." in said(seeds)
    assert "linear 95.0 %: −5.0 points" in said(seeds)
    assert "Without intervals, which need folds" in said(seeds)
    assert "95 %" not in said(seeds)


@pytest.mark.parametrize(
    ("own", "linear", "verdict"),
    [([0.8, 0.81, 0.82, 0.83], 0.9, "Worse than"), ([0.9, 0.91, 0.92, 0.93], 0.8, "Better than")],
)
def test_page_begins_with_the_verdict_of_the_paired_folds(
    tmp_path: Path, own: list[float], linear: float, verdict: str
) -> None:
    """The interval of the difference leaves no doubt; of an error, less is better."""
    folder = write_series(tmp_path / "many", [(f"fold{k}", None, k, beside(a, linear)) for k, a in enumerate(own)])
    assert f"{verdict} a linear model: 4 runs average a test accuracy" in said(folder)

    def errors(value: float) -> dict[str, Any]:
        figures = {"loss": value, "mean_absolute_error": value}
        return {"train": figures, "test": figures}

    runs = [
        (f"fold{k}", None, k, {**errors(1 - error), "baselines": {"linear": errors(1 - linear)}})
        for k, error in enumerate(own)
    ]
    text = said(write_series(tmp_path / "errors", runs))
    assert f"{verdict} a linear model: 4 runs average a test mean absolute error" in text


@pytest.mark.parametrize("folds", [5, 11])
def test_curves_have_the_colours_of_the_legend(tmp_path: Path, folds: int) -> None:
    runs = [(f"seed{s}_fold{f}", s, f, scores(0.5, 0.5)) for s in range(3) for f in range(folds)]
    text = page_again(write_series(tmp_path / "many", runs)).read_text("utf-8")
    legend = re.findall(r'swatch.*?<path class="([^"]+)".*?fold (\d+)', text)
    lines = set(re.findall(r'<path class="([^"]+)"[^>]*><title>seed\d_fold(\d+), in the last', text))
    if folds == 5:
        assert sorted(legend) == sorted(lines)
        assert len({style for style, _ in legend}) == folds
    else:
        assert not legend
        assert len({style for style, _ in lines}) == 1


def test_runs_with_pages_are_links(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "many", [(f"fold{k}", None, k, scores(0.5, 0.5)) for k in range(3)])
    (folder / "fold1/report.html").write_text("")
    assert re.findall(r'<a href="(?!#)([^"]*)">([^<]*)', page_again(folder).read_text()) == [
        ("fold1/report.html", "fold1")
    ]


def test_curves_of_ensembles_are_means_of_the_members_that_reached_an_epoch(tmp_path: Path) -> None:
    """A member begins where another one ends, even with an epoch that this one had not reached."""
    history = tmp_path / "history.jsonl"
    members = [(0, 1, 0.5), (0, 2, 0.25), (1, 1, 0.25), (2, 2, 0.75), (2, 3, 0.125)]
    lines = [f'{{"member": {member}, "epoch": {epoch}, "loss": {loss}}}\n' for member, epoch, loss in members]
    history.write_text("".join(lines))
    (curve,) = read_curves(history, 10).values()
    assert dict(zip(curve.epochs, curve.values, strict=True)) == {1: 0.375, 2: 0.5}
    history.write_text("".join(lines[2:]))
    assert read_curves(history, 10)["loss"].epochs == [2, 3]
