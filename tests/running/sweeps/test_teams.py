"""Trials are compared by losses of rows held out, and ended early; their team is chosen by their answers there."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

import specnet
from specnet import FileError, Model, load_model
from specnet.model import Answers, ErrorQuantiles
from specnet.run_files import training_rows
from specnet.running.folder_pages import _unpaired
from specnet.running.sweeps.trial_judge import Judge, JudgedRows
from tests.made import data_of, tensors_in
from tests.running.passed_parts import Taken
from tests.running.reports.page import Page
from tests.running.sweeps.searches import BASE, FOLDS, MEMBERS, PRUNED, TEAM, write_values
from tests.texts.calling import called
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


def held_out(folder: Path, trial: int) -> np.ndarray:
    """Return what a trial answers for rows held out."""
    return tensors_in(folder / f"trials/{trial:04}/held_out.safetensors")["outputs"]


def models_of(folder: Path, shares: dict[int, int]) -> list[tuple[Model, float]]:
    total = sum(shares.values())
    models = (load_model(folder / f"trials/{number:04}/model.safetensors") for number in shares)
    return [(model, share / total) for model, share in zip(models, shares.values(), strict=True)]


def test_each_round_takes_the_trial_with_which_the_mean_is_better(of_classes: tuple[specnet.SweepResult, Path]):
    """By hand: the mean probability of what was chosen so far and of one trial more, and its log loss at its best."""
    result, folder = of_classes
    y = data_of(folder / "spec.toml").splits["train"].y
    finished = [trial.number for trial in result.trials if trial.state == "finished"]
    p = {number: expit(held_out(folder, number)[:, 0]) for number in finished}

    def losses(numbers: Sequence[int]) -> np.ndarray:
        signed = np.where(y == 1, 1, -1) * logit(np.mean([p[each] for each in numbers], axis=0))

        def divided(logarithm: float) -> np.ndarray:
            return np.logaddexp(0, -signed / np.exp(logarithm))

        def with_prior(logarithm: float) -> float:
            return float(divided(logarithm).mean()) + logarithm**2 / (2 * len(y))

        return divided(minimize_scalar(with_prior, bounds=(-3, 3), method="bounded").x)

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
    data = data_of(folder.parent / "spec.toml")
    shares, y = result.team.shares, data.splits["train"].y
    scaled = np.average([held_out(folder, number)[:, 0] for number in shares], 0, [*shares.values()])
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
    (told,) = (each for each in result.team.evaluation.record()["tables"]["test"]["coverage"] if each["level"] == 0.9)
    size = pytest.approx(np.mean(high - low))
    assert np.mean(told.pop("thirds"), axis=0).tolist() == [pytest.approx(covered), size]
    assert told == {"level": 0.9, "covered": [covered], "size": [size]}
    assert specnet.export(team, "numpy", tmp_path / "out.py", interval=0.9).proof.rows == 256
    assert runpy.run_path(str(tmp_path / "out.py"))["interval"](X) == pytest.approx(ends, rel=1e-6)


def test_sets_of_a_team_hold_what_is_likely_enough(of_classes: tuple[specnet.SweepResult, Path]):
    result, folder = of_classes
    y, shares = data_of(folder / "spec.toml").splits["train"].y, result.team.shares
    p = np.average([expit(held_out(folder, number)[:, 0]) for number in shares], 0, [*shares.values()])
    allowed = np.sort(np.where(y == 1, 1 - p, p))[int(np.ceil(0.8 * (len(y) + 1))) - 1]
    team, X = load_model(folder / "team"), np.random.default_rng(0).normal(size=(30, 2))
    assert (team.predict_set(X, 0.8) == (1 - team.predict_proba(X) <= allowed)).all()
    found = result.team.evaluation.record()
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
    again = Path(shutil.copytree(folder, tmp_path / "sweep"))
    (again / "team/report.html").unlink()
    called("report", again / "team").ok()
    page = (again / "team/report.html").read_text()
    assert page == (folder / "team/report.html").read_text()
    assert '<a href="team/report.html">' in (folder / "report.html").read_text()
    assert '<section id="ask" hidden>' in page
    trials = json.dumps([[f"trial {number}", 4] for number in result.team.shares])
    assert f'"trials": {trials}' in page
    # It has the simpler predictors of the same test rows.
    best = json.loads((folder / "best/metrics.json").read_text())
    strip = re.findall('aria-label="(Gain over simpler predictors: .*?)"', page)
    for name, figures in best["baselines"].items():
        assert f"{name} {100 * figures['test']['accuracy']:.1f} %: " in strip[0]
    assert "intervals from those of both scores" in page
    assert re.search("<h1>(Better|Worse|As good|No)", page)

    total = sum(result.team.shares.values())
    told = " ".join(Page(page).text.split())
    assert f"· {4 * len(result.team.shares)} networks · predicts the class " in told
    for number, share in result.team.shares.items():
        assert f"trial {number} {100 * share / total:.1f} %" in told
    accuracy = result.team.metrics["test"]["accuracy"]
    assert f" {100 * accuracy:.1f} % against " in told
    assert f" Accuracy of the team on test rows: {100 * accuracy:.1f} %. " in told
    assert told.count("out of fold") == 1
    alone = called("report", shutil.copytree(folder / "team", tmp_path / "alone"))
    assert "not in the folder of its sweep" in alone.failed(1)


def test_predictions_of_a_team_that_differs_are_compared(of_classes: tuple[specnet.SweepResult, Path], tmp_path: Path):
    """In place of the team is one with other shares: by hand, how far probabilities are apart, and how many labels."""
    _, folder = of_classes
    again = Path(shutil.copytree(folder, tmp_path / "sweep"))
    team = load_model(folder / "team")
    other = Model.of(team.networks, [1, *team.shares[1:-1], 50], team.error_quantiles)
    other.save(again / "team/model.safetensors")
    (found,) = specnet.verify(again / "team").runs
    table = data_of(folder / "spec.toml").table
    p, q = (np.asarray(model.predict_proba(table.X)) for model in (team, other))
    assert found.predictions.rows == len(table.X)
    assert found.predictions.largest == pytest.approx(np.abs(p - q).max(), rel=1e-6)
    assert found.predictions.others == (p.argmax(axis=1) != q.argmax(axis=1)).sum()


def test_folds_and_seeds_are_all_in_the_team(tmp_path: Path):
    result = specnet.sweep(FOLDS, tmp_path / "sweep", jobs=1, report=False)
    model = result.team.model
    assert len(model.networks) == 4 * len(result.team.shares)
    X = np.random.default_rng(0).normal(size=(5, 2))
    total, mean = sum(result.team.shares.values()), np.zeros((5, 2))
    for number, share in result.team.shares.items():
        files = [*(tmp_path / f"sweep/trials/{number:04}").glob("*.model.safetensors")]
        assert len(files) == 4
        mean += share / total * np.mean([load_model(file).predict_proba(X) for file in files], axis=0)
    assert model.predict_proba(X) == pytest.approx(mean, abs=1e-6)


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


def test_memory_does_not_grow_with_the_answers_of_trials(tmp_path: Path):
    rows, trials = 10_000, 6
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(rows, 1)), y=rng.normal(size=rows))
    split = {"test_size": 0.05, "validation_size": 0.9}
    spec = {
        "data": {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": split},
        "network": {"layer_sizes": [1, 1]},
        "training": {"loss": "mean_squared_error", "epochs": 1, "baselines": [], "metrics": ["taken"]},
        "sweep": {"trials": trials, "sampler": "random", "space": {"training.l2": {"low": 1e-6, "high": 1.0}}},
    }
    tracemalloc.start()
    try:
        found = specnet.sweep(spec, tmp_path / "sweep", jobs=1, report=False, parts=[Taken])
    finally:
        tracemalloc.stop()
    answers = (tmp_path / "sweep" / "trials" / "0000" / "held_out.safetensors").stat().st_size
    assert len(found.trials) == trials
    assert answers > 0.8 * rows * 8
    assert Taken.bytes[2 * trials - 2] - Taken.bytes[4] < 2 * answers  # of the three trials between


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> tuple[specnet.SweepResult, Path]:
    folder = tmp_path_factory.mktemp("members")
    return specnet.sweep(MEMBERS, folder, jobs=1, report=False, force=True), folder


def test_logits_are_divided_by_what_makes_their_loss_least(members: tuple[specnet.SweepResult, Path]):
    result, folder = members
    data = data_of(folder / "spec.toml")
    y = data.splits["train"].y
    told = 0
    for trial in result.trials:
        if trial.state != "finished":
            assert not (folder / f"trials/{trial.number:04}/held_out.safetensors").exists()
            continue
        z = held_out(folder, trial.number)[:, 0]

        def loss(factor: float, z: np.ndarray = z) -> float:
            return float(-np.mean(log_expit(np.where(y == 1, z, -z) * factor)))

        def with_prior(factor: float) -> float:
            return loss(factor) + np.log(factor) ** 2 / (2 * len(y))

        least = loss(minimize_scalar(with_prior, bounds=(np.exp(-3), np.exp(3)), method="bounded").x)
        written = json.loads((folder / f"trials/{trial.number:04}/metrics.json").read_text())["out_of_fold"]["loss"]
        assert loss(1.0) == pytest.approx(written, rel=1e-5)
        assert trial.figure == pytest.approx(least, rel=1e-5)
        told += trial.figure < written - 1e-4
    assert told, "dividing is worth something"
    assert result.figure_name == json.loads((folder / "sweep.json").read_text())["figure"] == "calibrated_loss"
    assert result.best_in_words()[1].startswith("calibrated_loss: validation ")


def test_trials_that_are_all_right_differ_by_their_margin():
    """The log loss alone has no minimum there, and any such trial would have 0."""
    run = JudgedRows.of(data_of(BASE))
    signs, judge = np.where(run.target == 1, 1.0, -1.0)[:, np.newaxis], Judge([run], None)
    margins = np.array([0.5, 1.0, 2.0, 4.0, 6.0])
    figures = [judge.figures([signs * margin])[0] for margin in margins]
    assert figures == sorted(figures, reverse=True)
    for margin, figure in zip(margins, figures, strict=True):
        factor = minimize_scalar(
            lambda log, margin=margin: np.log1p(np.exp(-margin * np.exp(log))) + log**2 / (2 * len(signs)),
            bounds=(-3, 3),
            method="bounded",
        ).x
        assert figure == pytest.approx(np.log1p(np.exp(-margin * np.exp(factor))), rel=1e-2)
        assert figure > 1e-4
    assert judge.is_better([signs * 4], [signs * 2], 0)


def test_rows_that_depend_on_each_other_count_once():
    """A row in two runs tells no more than in one, and three equal rows of a group no more than one of them."""
    data = data_of(BASE)
    run = JudgedRows.of(data)
    ours, theirs = np.random.default_rng(0).normal(size=(2, len(run.target), 1))
    target, wanted, units = (np.repeat(each, 3, axis=0) for each in (run.target, run.loss_target, run.units))
    groups = replace(run, target=target, loss_target=wanted, units=units)

    def told(runs: list[JudgedRows], *outputs: np.ndarray) -> list[bool]:
        judge = Judge(runs, None)
        of_runs = [[each] * len(runs) for each in outputs]
        return [judge.is_better(*of_runs, errors) for errors in np.linspace(-6, 6, 49)]

    once = told([run], ours, theirs)
    assert len(set(once)) == 2
    assert once == told([run, run], ours, theirs)
    assert once == told([groups], np.repeat(ours, 3, axis=0), np.repeat(theirs, 3, axis=0))


def test_members_that_were_tasks_make_the_ensemble_of_a_run(members: tuple[specnet.SweepResult, Path], tmp_path: Path):
    _, folder = members
    for name in ("0000", "0001"):
        specnet.run(folder / f"trials/{name}/spec.toml", tmp_path / name, threads=1, report=False)
        for file in ("model.safetensors", "history.jsonl"):
            assert (tmp_path / name / file).read_bytes() == (folder / f"trials/{name}" / file).read_bytes()
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        kept = json.loads((folder / f"trials/{name}/metrics.json").read_text())
        assert kept == {part: metrics[part] for part in ("train", "out_of_fold")}


def test_an_ensemble_of_tasks_is_calibrated_as_a_run_is(tmp_path: Path):
    given = {"overrides": ["training.calibration=temperature"], "report": False}
    specnet.sweep(MEMBERS, tmp_path / "sweep", jobs=1, trials=2, **given)
    trial = tmp_path / "sweep/trials/0001"
    specnet.run(trial / "spec.toml", tmp_path / "run", threads=1, report=False)
    assert (tmp_path / "run/model.safetensors").read_bytes() == (trial / "model.safetensors").read_bytes()


def test_a_trial_that_is_worse_after_two_folds_is_ended_there(members: tuple[specnet.SweepResult, Path]):
    result, _ = members
    ended = [trial for trial in result.trials if trial.state == "pruned"]
    assert result.trials[2] in ended, "it learns nothing"
    for trial in result.trials:
        assert trial.epochs == (40 if trial in ended else 80)
    for trial in ended:
        told = [each for each in result.trials[: trial.number] if each.figure is not None]
        best = min(told, key=lambda each: each.figure)
        assert trial.message == f"worse than trial {best.number} after 2 folds"


def test_nobody_computes_members_that_need_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from specnet.running import workers

    perform, done = workers.perform, []

    def performing(task, rows):
        done.append(task.member)
        return perform(task, rows)

    monkeypatch.setattr(workers, "perform", performing)
    result = specnet.sweep(MEMBERS, tmp_path / "sweep", jobs=1, report=False)
    states = [trial.state for trial in result.trials]
    assert len(done) == 4 * states.count("finished") + 2 * states.count("pruned")
    assert "pruned" in states


def test_values_are_compared_in_the_units_of_the_written_spec(tmp_path: Path):
    write_values(tmp_path)
    result = specnet.sweep(tmp_path / "spec.toml", tmp_path / "sweep", jobs=1, report=False)
    data = data_of(tmp_path / "spec.toml")
    target = data.splits["train"].y
    for trial in result.trials:
        model = specnet.load_model(tmp_path / f"sweep/trials/{trial.number:04}/model.safetensors")
        rows = data.splits["train"]
        answers = np.empty(len(rows))
        prepared = model.preprocessing.apply(rows.columns)
        for member, (theta, state) in enumerate(model.members):
            mine = rows.in_fold(member)
            scaled = model.network.predict_checked(theta, prepared[mine].astype(np.float32), state)
            answers[mine] = model.target_preprocessing.invert(scaled.astype(np.float64))[:, 0]
        expected = np.mean((answers - target) ** 2) / np.var(target)
        assert trial.figure == pytest.approx(expected, rel=1e-5)


def test_pruning_knows_the_told_trials_and_no_others(tmp_path: Path):
    """The median rule, by hand, of the trials that were told when each was drawn."""
    result = specnet.sweep(PRUNED, tmp_path / "sweep", jobs=1, report=False)
    for trial in result.trials:
        told = result.trials[: max(0, trial.number - 2)]  # parallel = 3
        finished = [each for each in told if each.state == "finished"]
        ends = None
        for rung in trial.curve:
            best = min(loss for at, loss in trial.curve.items() if at <= rung)
            if len(finished) >= 2 and rung >= 2 and best > np.median([each.curve[rung] for each in finished]):
                ends = rung
                break
        assert (trial.state, ends) == (("pruned", len(trial.curve)) if ends else ("finished", None))
        assert list(trial.curve) == list(range(1, trial.epochs + 1))
        if trial.state == "finished":
            history = (tmp_path / f"sweep/trials/{trial.number:04}/history.jsonl").read_text().splitlines()
            assert list(trial.curve.values()) == [json.loads(line)["validation_loss"] for line in history]
    assert any(trial.state == "pruned" for trial in result.trials)


def test_halving_lets_one_in_three_go_on(tmp_path: Path):
    """By hand: at rungs 2, 6 and 18 of 20, of the told trials that have come there and the trial itself."""
    text = PRUNED.replace("{ type = 'median', startup_trials = 2 }", "'halving'")
    result = specnet.sweep(text, tmp_path / "sweep", jobs=1, report=False)
    for trial in result.trials:
        told = result.trials[: max(0, trial.number - 2)]  # parallel = 3
        ends = None
        for rung in (2, 6, 18):
            if rung in trial.curve:
                losses = sorted([trial.curve[rung], *(each.curve[rung] for each in told if rung in each.curve)])
                if trial.curve[rung] > losses[max(len(losses) // 3 - 1, 0)]:
                    ends = rung
                    break
        assert (trial.state, ends) == (("pruned", trial.epochs) if ends else ("finished", None))
    assert {2, 20} <= {trial.epochs for trial in result.trials}


def test_a_team_is_compared_with_an_interval_from_those_of_both():
    """Of two independent means of normal values the variances add up."""
    error = np.hypot(0.03, 0.04)
    own, its = ({"low": value - 1.96 * of, "high": value + 1.96 * of} for value, of in ((0.8, 0.03), (0.7, 0.04)))
    assert _unpaired((0.8, 0.7), (own, its)) == pytest.approx(
        {"value": 0.1, "low": 0.1 - 1.96 * error, "high": 0.1 + 1.96 * error}
    )
