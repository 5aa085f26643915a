"""The team of a sweep: chosen by answers for rows held out, and the weighted mean of its trials."""

from __future__ import annotations

import gc
import html
import json
import re
import runpy
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

import specnet
from specnet import FileError, Model, load_model
from specnet.data import load_table
from specnet.files.run_files import training_rows
from specnet.model import Answers, ErrorQuantiles
from specnet.running.reports.folder_pages import page_again
from specnet.running.sweeps.sweep_folder import SweepFolder
from tests.made import data_of, tensors_in
from tests.running.sweeps.searches import FOLDS, TEAM, VALUES, write_values
from tests.texts.pinned import Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[specnet.SweepResult, Path]:
    folder = tmp_path_factory.mktemp("classes")
    return specnet.sweep(TEAM, folder, jobs=1, force=True), folder


@pytest.fixture(scope="module")
def of_values(tmp_path_factory: pytest.TempPathFactory) -> tuple[specnet.SweepResult, Path]:
    top = tmp_path_factory.mktemp("values")
    write_values(top)
    return specnet.sweep(top / "spec.toml", top / "sweep", jobs=1, report=False), top / "sweep"


def models_of(folder: Path, shares: dict[int, int]) -> list[tuple[Model, float]]:
    total = sum(shares.values())
    models = (load_model(folder / f"trials/{number:04}/model.safetensors") for number in shares)
    return [(model, share / total) for model, share in zip(models, shares.values(), strict=True)]


def test_each_round_takes_the_trial_with_which_the_mean_is_better(of_classes: tuple[specnet.SweepResult, Path]):
    """By hand: the mean probability of what was chosen so far and of one trial more, and its log loss at its best."""
    result, folder = of_classes
    y = data_of(folder / "spec.toml").splits["train"].y
    finished = [trial.number for trial in result.trials if trial.state == "finished"]
    files = (folder / f"trials/{number:04}/held_out.safetensors" for number in finished)
    p = {n: expit(tensors_in(path)["outputs"][:, 0]) for n, path in zip(finished, files, strict=True)}

    def losses(numbers: Sequence[int]) -> np.ndarray:
        signed = np.where(y == 1, 1, -1) * logit(np.mean([p[each] for each in numbers], axis=0))

        def divided(logarithm: float) -> np.ndarray:
            return np.logaddexp(0, -signed / np.exp(logarithm))

        return divided(minimize_scalar(lambda each: divided(each).mean(), bounds=(-3, 3), method="bounded").x)

    def is_better(ours: Sequence[int], others: Sequence[int], errors: float) -> bool:
        gains = losses(others) - losses(ours)
        return bool(gains.mean() > errors * gains.std() / np.sqrt(len(gains)))

    best = min(finished, key=lambda number: losses([number]).mean())
    chosen = [best if is_better([best], [0], 2) else 0]
    while len(chosen) < 25:
        tried = min(([*chosen, number] for number in finished), key=lambda each: losses(each).mean())
        if not is_better(tried, chosen, 1):
            break
        chosen = tried
    assert result.team is not None
    assert result.team.shares == dict(Counter(chosen))
    assert len(result.team.shares) > 1
    together = np.mean([p[each] for each in chosen], axis=0)
    log_loss = -np.mean(np.log(np.where(y == 1, together, 1 - together)))
    assert result.team.metrics["out_of_fold"]["loss"] == pytest.approx(log_loss, rel=1e-9)
    facts = json.loads((folder / "team/team.json").read_text())
    assert facts == {"rounds": len(chosen), "shares": {str(n): share for n, share in result.team.shares.items()}}
    assert [*result.team.shares.values()] == sorted(result.team.shares.values(), reverse=True)


def test_a_team_of_classifiers_answers_by_its_mean(of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path):
    result, folder = of_classes
    team = load_model(folder / "team")
    assert result.team is not None
    models = models_of(folder, result.team.shares)
    data = data_of(folder / "spec.toml")
    test = data.splits["test"]
    X = np.asarray(test.columns)
    members = [(member, share / 4) for model, share in models for member in by_member(model, X)]
    p = sum(share * member for member, share in members)
    assert team.predict_proba(X)[:, 1] == pytest.approx(p, abs=1e-6)
    spread = np.sqrt(sum(share * (member - p) ** 2 for member, share in members))
    assert team.predict_spread(X)[:, 1] == pytest.approx(spread, abs=1e-6)
    assert team.raw_outputs(X)[:, 0] == pytest.approx(logit(p), abs=1e-4)
    assert team.predict(X).tolist() == (p > 0.5).astype(int).tolist()
    figures = team.evaluate(X, test.y)
    assert figures == pytest.approx(result.team.metrics["test"], rel=1e-6)
    assert figures["loss"] == pytest.approx(-np.mean(np.log(np.where(test.y == 1, p, 1 - p))), rel=1e-5)
    team.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (folder / "team/model.safetensors").read_bytes()
    assert team.astype("float64").predict_proba(X) == pytest.approx(team.predict_proba(X), abs=1e-6)
    assert repr(team).startswith(f"<Model moons, {len(models)} networks, 2 inputs, ")


def by_member(model: Model, X: np.ndarray) -> list[np.ndarray]:
    return [model.network.predict(theta, X, state)[:, 0] for theta, state in model.members]


def test_a_team_of_values_has_different_preprocessing(of_values: tuple[specnet.SweepResult, Path]):
    result, folder = of_values
    assert result.team is not None
    assert len(result.team.shares) > 1
    team, models = load_model(folder / "team"), models_of(folder, result.team.shares)
    written = {tuple(step.type for step in model.spec.network.target_preprocessing) for model, _ in models}
    assert len(written) > 1, "targets are prepared in different ways"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9, 2)) * 3
    mean = sum(share * model.predict(X) for model, share in models)
    assert team.predict(X) == pytest.approx(mean, rel=1e-5)
    assert team.predict_spread(X).shape == (9,)
    data = data_of(folder.parent / "spec.toml")
    test = data.splits["test"]
    errors = np.sqrt(np.mean((team.predict(np.asarray(test.columns)) - test.y) ** 2))
    assert result.team.metrics["test"]["root_mean_squared_error"] == pytest.approx(errors, rel=1e-5)


def test_intervals_of_a_team_are_quantiles_of_its_errors_on_rows_held_out(
    of_values: tuple[specnet.SweepResult, Path], tmp_path: Path
):
    """By hand: of the weighted mean of the trials' answers, none of which was trained on the row."""
    result, folder = of_values
    assert result.team is not None
    data = data_of(folder.parent / "spec.toml")
    shares, y = result.team.shares, data.splits["train"].y
    files = (folder / f"trials/{number:04}/held_out.safetensors" for number in shares)
    scaled = np.average([tensors_in(file)["outputs"][:, 0] for file in files], 0, [*shares.values()])
    held = y.mean() + y.std() * scaled
    rows = data.splits["train"]
    answers = Answers(y, y, np.zeros(len(y)), held, None, None)
    quantiles = ErrorQuantiles.of(answers, "values", not_negative=np.array([y.min() >= 0]), groups=rows.chosen)
    assert quantiles.knots.size
    team = load_model(folder / "team")
    X = np.random.default_rng(0).normal(size=(9, 2))
    ends = team.predict_interval(X, 0.9)
    assert ends == pytest.approx(quantiles.ends(team.predict(X), 0.9), rel=1e-4)
    test = data.splits["test"]
    low, high = team.predict_interval(np.asarray(test.columns), 0.9).T
    covered = np.mean((low <= test.y) & (test.y <= high))
    (told,) = (each for each in read_metrics(folder / "team")["tables"]["test"]["coverage"] if each["level"] == 0.9)
    assert told == {"level": 0.9, "covered": [covered], "size": [pytest.approx(np.mean(high - low))]}
    assert specnet.export(team, "numpy", tmp_path / "out.py", interval=0.9).proof.rows == 256
    assert runpy.run_path(str(tmp_path / "out.py"))["interval"](X) == pytest.approx(ends, rel=1e-6)


def test_sets_of_a_team_hold_what_is_likely_enough(of_classes: tuple[specnet.SweepResult, Path]):
    result, folder = of_classes
    assert result.team is not None
    y, shares = data_of(folder / "spec.toml").splits["train"].y, result.team.shares
    files = (folder / f"trials/{number:04}/held_out.safetensors" for number in shares)
    p = np.average([expit(tensors_in(file)["outputs"][:, 0]) for file in files], 0, [*shares.values()])
    allowed = np.sort(np.where(y == 1, 1 - p, p))[int(np.ceil(0.8 * (len(y) + 1))) - 1]
    team, X = load_model(folder / "team"), np.random.default_rng(0).normal(size=(30, 2))
    assert (team.predict_set(X, 0.8) == (1 - team.predict_proba(X) <= allowed)).all()
    found = read_metrics(folder / "team")
    assert found["rows"] == {"train": 90, "test": 30}
    assert found["intervals"]["test"]["accuracy"]["method"] == "wilson"
    assert found["calibration"]["error"].keys() == {"train", "test"}


def test_rows_that_trained_a_team_are_known(of_values: tuple[specnet.SweepResult, Path]):
    _, folder = of_values
    assert training_rows(folder / "team") == training_rows(folder / "team/model.safetensors")
    assert training_rows(folder / "team") == training_rows(folder / "best")
    assert training_rows(folder / "best")


def test_the_page_of_a_team_is_the_same_again(of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path):
    result, folder = of_classes
    assert result.team is not None
    again = Path(shutil.copytree(folder, tmp_path / "sweep"))
    (again / "team/report.html").unlink()
    page = page_again(again / "team").read_text()
    assert page == (folder / "team/report.html").read_text()
    assert '<a href="team/report.html">' in (folder / "report.html").read_text()
    total = sum(result.team.shares.values())
    told = text_of(page)
    assert f"· {4 * len(result.team.shares)} networks · predicts the class " in told
    for number, share in result.team.shares.items():
        assert f"trial {number} {100 * share / total:.1f} %" in told
    accuracy = result.team.metrics["test"]["accuracy"]
    assert f" {100 * accuracy:.1f} % of {result.team.evaluation.rows['test']} test rows are right." in told
    assert f" team {100 * accuracy:.1f} % " in told
    assert told.count("out of fold") == 1
    with pytest.raises(FileError, match="not in the folder of its sweep"):
        page_again(shutil.copytree(folder / "team", tmp_path / "alone"))


def test_predictions_of_a_team_that_differs_are_compared(of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path):
    """In place of the team is one with other shares: by hand, how far probabilities are apart, and how many labels."""
    _, folder = of_classes
    again = Path(shutil.copytree(folder, tmp_path / "sweep"))
    team = load_model(folder / "team")
    other = Model.of(team.networks, [1, *team.shares[1:-1], 50], team.error_quantiles)
    other.save(again / "team/model.safetensors")
    (found,) = specnet.verify(again / "team").runs
    table = load_table(specnet.parse_spec(folder / "spec.toml"))
    p, q = (np.asarray(model.predict_proba(table.X)) for model in (team, other))
    assert found.predictions is not None
    assert found.predictions.rows == len(table.X)
    assert found.predictions.largest == pytest.approx(np.abs(p - q).max(), rel=1e-6)
    assert found.predictions.others == (p.argmax(axis=1) != q.argmax(axis=1)).sum()


def text_of(page: str) -> str:
    """Return the words of a page, with a space between any two."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def read_metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def test_folds_and_seeds_are_all_in_the_team(tmp_path: Path):
    result = specnet.sweep(FOLDS, tmp_path / "sweep", jobs=1, report=False)
    assert result.team is not None
    model = result.team.model
    assert len(model.networks) == 4 * len(result.team.shares)
    X = np.random.default_rng(0).normal(size=(5, 2))
    total, mean = sum(result.team.shares.values()), np.zeros((5, 2))
    for number, share in result.team.shares.items():
        files = [*(tmp_path / f"sweep/trials/{number:04}").glob("*.model.safetensors")]
        assert len(files) == 4
        mean += share / total * np.mean([load_model(file).predict_proba(X) for file in files], axis=0)
    assert model.predict_proba(X) == pytest.approx(mean, abs=1e-6)


def test_a_team_is_exported_as_an_ensemble_is(of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path):
    """The file answers as the trials do together, each asked by itself."""
    result, folder = of_classes
    assert result.team is not None
    assert specnet.export(load_model(folder / "team"), "numpy", tmp_path / "out.py").proof.rows == 256
    X = np.random.default_rng(1).normal(size=(50, 2))
    expected = sum(share * model.predict_proba(X) for model, share in models_of(folder, result.team.shares))
    assert runpy.run_path(str(tmp_path / "out.py"))["predict_proba"](X) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"share":', b'"shape":'),
        (b'"format_version":3', b'"format_version":1'),
        (b"models.1.members.0.layers.0.bias", b"models.9.members.0.layers.0.bias"),
    ],
)
def test_a_damaged_team_is_refused(
    old: bytes, new: bytes, of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path, refused: Refused
):
    content = (of_classes[1] / "team/model.safetensors").read_bytes()
    changed = content.replace(old.replace(b'"', b'\\"'), new.replace(b'"', b'\\"'), 1)
    assert changed != content
    (tmp_path / "model.safetensors").write_bytes(changed)
    with refused(FileError):
        load_model(tmp_path / "model.safetensors")


def test_test_rows_have_no_part_in_the_team(tmp_path: Path):
    """Other test rows, with the same rows for training, give the same trials and the same shares."""
    rng = np.random.default_rng(4)
    x, noise = rng.normal(size=(2, 80))
    part = np.array(["train", "train", "validation", "test"])[np.arange(80) % 4]
    text = VALUES.replace("split.test_size = 0.25", 'split.column = "part"').replace("ensemble = 3\n", "")
    found = []
    for shift in (0, 9):
        y = np.exp(x) + noise + shift * (part == "test")
        rows = [f"{a},{b},{c},{d}" for a, b, c, d in zip(x, x**2, y, part, strict=True)]
        (tmp_path / "rows.csv").write_text("\n".join(["a,b,y,part", *rows]) + "\n")
        (tmp_path / "spec.toml").write_text(text)
        found.append(specnet.sweep(tmp_path / "spec.toml", tmp_path / str(shift), jobs=1, report=False))
    one, two = (result.team for result in found)
    assert one is not None
    assert two is not None
    assert one.shares == two.shares
    assert one.model.to_bytes() == two.model.to_bytes()
    assert one.metrics["test"] != two.metrics["test"]


def test_memory_does_not_grow_with_the_answers_of_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows, trials, taken = 10_000, 6, list[int]()
    write = SweepFolder.write

    def noted(folder: SweepFolder, name: str, content: str) -> None:
        write(folder, name, content)
        if name == "trials.csv":  # at the end of each trial
            folder.check()
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])

    monkeypatch.setattr(SweepFolder, "write", noted)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(rows, 1)), y=rng.normal(size=rows))
    spec = {
        "data": {
            "type": "npz",
            "path": str(tmp_path / "rows.npz"),
            "split": {"test_size": 0.05, "validation_size": 0.9},
        },
        "network": {"layer_sizes": [1, 1]},
        "training": {"loss": "mean_squared_error", "epochs": 1, "baselines": []},
        "sweep": {"trials": trials, "sampler": "random", "space": {"training.l2": {"low": 1e-6, "high": 1.0}}},
    }
    tracemalloc.start()
    try:
        found = specnet.sweep(spec, tmp_path / "sweep", jobs=1, report=False)
    finally:
        tracemalloc.stop()
    answers = (tmp_path / "sweep" / "trials" / "0000" / "held_out.safetensors").stat().st_size
    assert len(found.trials) == trials
    assert answers > 0.8 * rows * 8
    assert taken[trials - 1] - taken[2] < 2 * answers  # of the three trials between
