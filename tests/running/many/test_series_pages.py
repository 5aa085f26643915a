"""The page of folds and seeds: what its files say, whatever is in them."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import FileError, run_many
from specnet.number_texts import metric
from specnet.report.pages.series_page import spread_of
from specnet.running.reports.folder_pages import page_again
from specnet.saved.run_curves import read_curves
from tests.running.reports.page import Page
from tests.running.sweeps.made import WILD, scores, write_series
from tests.texts.pinned import Pinned, Refused

MOONS = """
name = "moons"
data = { type = "make_moons", random_state = 0, noise = 0.2 }
network = { hidden_layer_sizes = [5] }
training = { loss = "binary_crossentropy", epochs = 3, metrics = ["accuracy"] }
"""


def said(folder: Path) -> str:
    text = page_again(folder).read_text("utf-8")
    assert WILD not in text
    return re.sub(r"\s+", " ", " ".join(Page(text).texts))


def labels(folder: Path) -> list[str]:
    return [unescape(each) for each in re.findall(r'aria-label="([^"]*)"', (folder / "report.html").read_text("utf-8"))]


def test_page_tells_what_the_files_say(tmp_path: Path, pinned: Pinned) -> None:
    found = {(seed, fold): scores(0.25 + 0.125 * fold, 0.75 + 0.0625 * seed) for seed in (0, 1) for fold in (0, 1, 2)}
    runs = [(f"seed{seed}_fold{fold}", seed, fold, found[seed, fold]) for seed, fold in found]
    folder = write_series(tmp_path / "many", runs)
    text = said(folder)
    pinned(text)
    for name, *_, metrics in runs:
        assert f"{name}: {metric('loss', metrics['test']['loss'] or 0)}" in text  # on hover
    (folder / "seed0_fold0/spec.resolved.json").write_text("{}")
    assert said(folder).startswith(" unnamed · folds and seeds")


@pytest.mark.parametrize(
    "runs",
    [
        [("fold0", None, 0, f"it {WILD}"), ("fold1", None, 1, "no")],
        [("fold0", None, 0, "gone")],
        [("fold0", None, 0, f"it {WILD}"), ("fold1", None, 1, scores(0.5, 0.75))],
        [("seed3", 3, None, scores(0.5, 0.75))],
        [("seed3", 3, None, scores(0.5, None)), ("seed4", 4, None, scores(0.5, None))],
        [("seed3", 3, None, scores(0.5, 0.5)), ("seed4", 4, None, scores(0.5, 0.5))],
        [("seed3", 3, None, {"train": {"loss": 0.5}})] * 1,
    ],
)
def test_little_to_show(tmp_path: Path, runs: list[Any], pinned: Pinned) -> None:
    folder = write_series(tmp_path / "many", runs)
    pinned(said(folder))


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
    assert "Seeds on one fold have a standard deviation of 2.1 points" in text
    assert "Beyond what it explains, folds have one of 0.9 points" in text
    runs = [(f"seed{s}_fold{f}", s, f, scores(0.5, 0.9 + 0.03 * s * (f < 3))) for s in (0, 1) for f in range(4)]
    runs[-1] = (*runs[-1][:3], "gone")
    assert "Seeds on one fold" not in said(write_series(tmp_path / "gap", runs))


@pytest.mark.parametrize(("of_seeds", "of_folds"), [(0.03, 0.01), (0.01, 0.03), (0.02, 0.0)])
def test_spread_finds_the_deviations_that_were_drawn(of_seeds: float, of_folds: float) -> None:
    generator = np.random.default_rng(0)
    drawn = 0.8 + generator.normal(0, of_folds, (2000, 1)) + generator.normal(0, of_seeds, (2000, 4))
    assert spread_of(drawn.tolist()) == pytest.approx((of_seeds, of_folds), rel=0.05, abs=0.002)


def test_linear_model_of_the_same_folds_stands_beside_the_network(tmp_path: Path) -> None:
    found = [(0.90, 0.92), (0.95, 0.95), (0.85, 0.89)]
    folder = write_series(tmp_path / "many", [(f"fold{k}", None, k, beside(*each)) for k, each in enumerate(found)])
    text = said(folder)
    assert "As good as a linear model: 3 runs average a test accuracy of 90.0 % ± 5.0 against 92.0 %." in text
    # −2 points, whose deviation over folds is 2; Student's t for two degrees of freedom is 4.303.
    half = 4.303 * 2 * (1 / 3 + 1 / 2) ** 0.5
    differs = f"by −2.0 points, 95 % interval −{half + 2:.1f} to +{half - 2:.1f}"
    assert f"The networks differ from a linear model {differs}." in text
    assert "fold 2, a linear model: 89.0 %" in text  # in the chart
    assert "fold2 85.0 % 89.0 % 0.5000" in text  # in the table
    assert "test, a constant answer 0.7000 ± 0.0000 50.0 % ± 0.0" in text
    seeds = write_series(tmp_path / "seeds", [(f"seed{k}", k, None, beside(0.9, 0.95)) for k in range(2)])
    assert "average a test accuracy of 90.0 % ± 0.0; on the same rows a linear model has 95.0 %." in said(seeds)
    assert "The networks differ from a linear model by −5.0 points." in said(seeds)
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
    lines = set(re.findall(r'<path class="([^"]+)"[^>]*><title>seed\d_fold(\d+), at last', text))
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


def test_page_of_many_long_runs_is_small(tmp_path: Path) -> None:
    runs = [(f"seed{k}", k, None, scores(0.5 + k / 100, 0.5 + k / 300)) for k in range(100)]
    folder = write_series(tmp_path / "many", runs)
    line = '{{"epoch": {n}, "loss": {loss}, "validation_loss": {loss}}}\n'
    text = "".join(line.format(n=n, loss=1 / n + 0.01 * (n % 7)) for n in range(1, 1001))
    for path in folder.glob("*/history.jsonl"):
        path.write_text(text)
    assert page_again(folder).stat().st_size < 400_000


@pytest.mark.parametrize(
    ("file", "text"),
    [
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
    folder = write_series(tmp_path / "many", [("fold0", None, 0, scores(0.5, 0.75))])
    (folder / file).write_text(text)
    with refused(FileError, at=file.rpartition("/")[2]):
        page_again(folder)
    assert not (folder / "report.html").exists()


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


def test_page_at_the_end_is_the_one_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    result = run_many(MOONS, folder, folds=2)
    page = (folder / "report.html").read_bytes()
    assert page_again(folder).read_bytes() == page
    for run in result.runs:
        assert f"{run.name}: {metric('accuracy', run.metrics['test']['accuracy'] or 0)}" in page.decode()
    assert json.loads((folder / "summary.json").read_text()) == result.summary
    (folder / "report.html").unlink()
    assert run_many(MOONS, folder, folds=2, resume=True, report=False).runs == result.runs
    assert not (folder / "report.html").exists()
