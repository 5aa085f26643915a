"""Test rows never steer a sweep: trials do not have them. The best trial is a spec of its own, whose run has them."""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import FileError, TrainingError
from specnet.data import RawColumns
from tests.made import data_of
from tests.running.moons import Warned
from tests.running.sweeps.searches import fingerprint, without_numbers
from tests.texts.pinned import Pinned, Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]
SPEC = """\
name = "rows"
# The rows are beside this file.
[data]
type = "csv"
path = "rows.csv"  # relative
target = "y"
[data.split]
column = "part"
[network]
hidden_layer_sizes = [3]  # searched
[training]
loss = "mean_squared_error"
epochs = 6
metrics = ["r2"]
[sweep]
trials = 5
sampler = { type = "tpe", startup_trials = 2 }
parallel = 2
pruner = { type = "median", startup_trials = 1 }
[sweep.space]
"network.hidden_layer_sizes" = [[2], [4]]
"training.optimizer" = [
  { type = "sgd", learning_rate = { low = 1e-3, high = 0.1, log = true } },
  { type = "adam", learning_rate = { low = 1e-3, high = 0.1, log = true } },
]
"""
PARTS = ("train", "train", "validation", "test")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return partial(write_rows, tmp_path)


def write_rows(folder: Path, shift: float = 0, text: str = "") -> Path:
    """Write the spec and its rows; those for testing are shifted, and their texts end differently."""
    rng = np.random.default_rng(3)
    lines = ["part,x,kind,y"]
    for number in range(80):
        part = PARTS[number % 4]
        x, y = rng.normal(size=2)
        kind = "ab"[number // 4 % 2]
        own = shift if part == "test" else 0
        lines.append(f"{part},{x + own:.4f},{kind}{text if part == 'test' else ''},{x + y / 2 + 3 * own:.4f}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "rows.toml").write_text(SPEC)
    return folder / "rows.toml"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, specnet.SweepResult]:
    """The folder of a whole sweep beside its spec."""
    folder = tmp_path_factory.mktemp("whole")
    return folder / "sweep", specnet.sweep(write_rows(folder), folder / "sweep", jobs=1, report=False)


@pytest.fixture(scope="module")
def swept_twice(tmp_path_factory: pytest.TempPathFactory) -> specnet.SweepResult:
    """A sweep of two trials, whose folder is beside its spec."""
    folder = tmp_path_factory.mktemp("two")
    return specnet.sweep(write_rows(folder), folder / "sweep", jobs=1, trials=2, report=False)


def trial_files(out: Path) -> dict[str, str]:
    """Return a hash of each file of a sweep that a trial decides: all but what the best one's run writes at the end."""
    of_the_best = ("best/", "team/", "sweep.json")
    return {name: digest for name, digest in fingerprint(out).items() if not name.startswith(of_the_best)}


def test_other_test_rows_change_no_byte_of_a_trial(
    swept: tuple[Path, specnet.SweepResult], write: Write, tmp_path: Path
):
    """Nor of the spec of the best one. Their numbers are far away, and their texts are others."""
    one, first = swept
    two = tmp_path / "two"
    other = specnet.sweep(write(50, "z"), two, jobs=1, report=False)
    assert trial_files(one) == trial_files(two)
    assert len([name for name in trial_files(one) if name.endswith("model.safetensors")]) > 1
    assert first.metrics["test"] != other.metrics["test"]
    assert first.team.shares == other.team.shares
    assert weights(one / "team/model.safetensors") == weights(two / "team/model.safetensors")
    assert json.loads((one / "trials/0001/metrics.json").read_text()).keys() == {"train", "validation"}
    assert first.metrics.keys() == {"train", "validation", "test"}
    assert json.loads((one / "best/metrics.json").read_text())["test"]["r2"] == first.metrics["test"]["r2"]
    hashes = [json.loads((out / "sweep.json").read_text())["identity"] for out in (one, two)]
    assert hashes[0]["data_sha256"] != hashes[1]["data_sha256"]
    assert hashes[0]["spec_sha256"] == hashes[1]["spec_sha256"]


def test_the_best_spec_runs_alone_and_gives_the_trials_model(write: Write, tmp_path: Path, monkeypatch):
    out = tmp_path / "deep/er/sweep"
    result = specnet.sweep(write(), out, jobs=1, report=False)
    best = (out / "best.toml").read_text()
    assert best == result.spec
    trial = out / f"trials/{result.best.number:04}"
    for text, path in ((best, "../../../rows.csv"), ((trial / "spec.toml").read_text(), "../../../../../rows.csv")):
        assert "# The rows are beside this file." in text
        assert f'path = "{path}"  # relative' in text
        assert "# searched" in text
        assert "sweep" not in text
    monkeypatch.chdir(tmp_path / "deep")
    alone = specnet.run("er/sweep/best.toml", tmp_path / "alone", threads=1, report=False)
    again = specnet.run(trial / "spec.toml", tmp_path / "again", threads=1, report=False)
    model = (trial / "model.safetensors").read_bytes()
    assert (tmp_path / "again/model.safetensors").read_bytes() == model
    assert (tmp_path / "alone/model.safetensors").read_bytes() == (out / "best/model.safetensors").read_bytes()
    assert alone.metrics == again.metrics == result.metrics
    assert alone.metrics["validation"]["loss"] == pytest.approx(result.best.figure, rel=1e-6)  # of float32
    assert weights(tmp_path / "alone/model.safetensors") == weights(trial / "model.safetensors")
    history = (trial / "history.jsonl").read_text()
    assert history == (out / "best/history.jsonl").read_text() == (tmp_path / "again/history.jsonl").read_text()


def weights(path: Path) -> bytes:
    """Return a file of tensors without its header, which has the spec."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def test_the_table_has_a_row_per_trial(swept: tuple[Path, specnet.SweepResult]):
    out, result = swept
    with (out / "trials.csv").open(newline="") as stream:
        header, *lines = csv.reader(stream)
    assert header == [
        *("trial", "state", "figure", "seconds", "network.hidden_layer_sizes", "training.optimizer"),
        *("training.optimizer.sgd.learning_rate", "training.optimizer.adam.learning_rate"),
    ]
    assert (lines[0][:2], lines[0][4:]) == (["0", "finished"], ["[3]", "", "", ""])
    for trial, line in zip(result.trials[1:], lines[1:], strict=True):
        assert line[:2] == [str(trial.number), trial.state]
        assert line[2] == ("" if trial.figure is None else repr(trial.figure))
        assert [cell for cell in line[4:] if cell] == [str(value) for value in trial.settings.values()]
        assert line.count("") == 1 + (trial.figure is None)


def test_a_sweep_given_as_json_has_a_best_json(swept_twice: specnet.SweepResult, write: Write, tmp_path: Path):
    document = tomllib.loads(write().read_text())
    (tmp_path / "rows.json").write_text(json.dumps(document))
    by_json = specnet.sweep(tmp_path / "rows.json", tmp_path / "json", jobs=1, trials=2, report=False)
    by_toml = swept_twice
    assert by_json.trials == by_toml.trials
    best = (tmp_path / "json/best.json").read_text()
    assert json.loads(best) == tomllib.loads(by_toml.spec)
    assert best.startswith('{\n  "name": "rows"')
    assert specnet.run(tmp_path / "json/best.json", threads=1).metrics == by_toml.metrics
    document["data"]["path"] = str(tmp_path / "rows.csv")
    by_mapping = specnet.sweep(document, tmp_path / "mapping", jobs=1, trials=2, report=False)
    assert by_mapping.trials == by_toml.trials
    assert specnet.run(tmp_path / "mapping/best.json", threads=1).metrics == by_toml.metrics
    kept_nowhere = specnet.sweep(tmp_path / "rows.toml", jobs=1, trials=2, report=False)
    assert kept_nowhere.trials == by_toml.trials
    assert kept_nowhere.metrics == by_toml.metrics


def test_a_sweep_without_a_folder_names_none(write: Write, tmp_path: Path):
    """Nor do its specs: their paths start where those of the spec do, as in a run without a folder."""
    spec = write()
    result = specnet.sweep(spec, jobs=1, trials=2)
    nested = specnet.nested_sweep(spec, folds=2, jobs=1, trials=2, overrides=["data.split={validation_size=0.2}"])
    for each in (result, *nested.sweeps):
        assert each.folder is each.run.folder is None
        assert 'path = "rows.csv"' in each.spec
        assert {str(model.spec.data.path) for model in (each.run.model, each.team.model)} == {"rows.csv"}
    (tmp_path / "best.toml").write_text(result.spec)
    assert specnet.run(tmp_path / "best.toml", threads=1).metrics == result.metrics
    with pytest.raises(TrainingError) as caught:
        specnet.sweep(spec, jobs=1, trials=1, overrides=["training.optimizer={type='sgd', learning_rate=1e30}"])
    assert caught.value.diagnostics[0].source is None


WRONG_FACTS: list[dict[str, Any]] = [
    *({"state": "finished", "figure": None}, {"state": "lost"}, {"figure": "small"}, {"trial": 4}, {"epochs": "many"}),
    *({"seconds": None}, {"message": 3}, {"settings": 3}, {"settings": {}}, {"figures": [{}]}, {"figures": 3}),
    *({"curve": [[1]]}, {"curve": {"a": "b"}}, {"parameters": None}, {"parameters": {}}),
    {"parameters": {"network.hidden_layer_sizes": "[7]"}},
]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("sweep.json", b"{"),
        ("sweep.json", b"{}"),
        ("sweep.json", b'{"identity": {"spec": 1, "sweep": [], "data_sha256": null}}'),
        ("sweep.json", None),
        *(("trials/0001/run.json", content) for content in (b"\xff", b"{}", b"[]", *WRONG_FACTS)),
    ],
)
def test_a_damaged_sweep_is_a_clear_error(
    write: Write, swept_twice: specnet.SweepResult, tmp_path: Path, file: str, content: Any, refused: Refused
):
    spec, out = write(), Path(shutil.copytree(swept_twice.folder, tmp_path / "sweep"))
    if content is None:
        (out / file).unlink()
    elif isinstance(content, dict):
        facts = json.loads((out / file).read_text())
        (out / file).write_text(json.dumps({**facts, **content}))
    else:
        (out / file).write_bytes(content)
    with refused(FileError):
        specnet.sweep(spec, out, jobs=1, trials=2, resume=True, report=False)


def test_a_trial_without_its_record_is_computed_again(swept: tuple[Path, specnet.SweepResult], tmp_path: Path):
    before = fingerprint(swept[0])
    out = shutil.copytree(swept[0].parent, tmp_path / "copy") / "sweep"
    (out / "trials/0001/run.json").unlink()
    (out / "trials/0002/metrics.json").unlink(missing_ok=True)
    shutil.rmtree(out / "trials/0002")
    (out / "trials/0003").rename(out / "trials/.0123456789abcdef.tmp")
    specnet.sweep(out.parent / "rows.toml", out, jobs=1, resume=True, report=False)
    assert {name: each for name, each in fingerprint(out).items() if ".tmp" not in name} == before


def test_a_trial_with_folds_has_the_mean_of_its_runs(write: Write, tmp_path: Path):
    """Each run is that of the trial's spec on a fold, with a seed."""
    spec, out = write(), tmp_path / "sweep"
    spec.write_text(
        SPEC.replace('column = "part"', "test_size = 0.2\nstratify = false")
        .replace('pruner = { type = "median", startup_trials = 1 }', "folds = 2\nseeds = 2")
        .replace('target = "y"', 'target = "y"\ncolumns.part = "ignore"')
    )
    result = specnet.sweep(spec, out, jobs=1, trials=2, report=False)
    _, trial = result.trials
    folder = out / f"trials/{trial.number:04}"
    figures, history = [], []
    for seed in (0, 1):
        for fold in (0, 1):
            split = f"folds = 2, fold = {fold}, fold_part = 'validation', random_state = 0"
            whole = f"data.split={{test_size = 0.2, stratify = false, {split}}}"
            run = specnet.run(folder / "spec.toml", overrides=[f"seed={seed}", whole], threads=1)
            figures.append(run.metrics["validation"]["loss"])
            history += [{**record, "seed": seed, "fold": fold} for record in run.history]
            model = (folder / f"seed{seed}_fold{fold}.model.safetensors").read_bytes()
            assert weights(folder / f"seed{seed}_fold{fold}.model.safetensors") in model
            assert run.model.to_bytes()[-64:] == model[-64:]
    assert [each.figure for each in trial.figures] == pytest.approx(figures, rel=1e-6)  # of float32
    assert [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()] == history
    assert trial.figure == pytest.approx(np.mean([each.figure for each in trial.figures]), rel=1e-15)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["validation"]["loss"] == pytest.approx(np.mean(figures), rel=1e-15)
    assert metrics.keys() == {"train", "validation"}
    best = specnet.parse_spec(out / "best.toml")
    assert (best.data.split.folds, best.seed) == (None, 0)
    assert result.run.metrics.keys() == {"train", "test"}


def test_nested_sweeps_are_tested_on_rows_that_they_never_saw(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], pinned: Pinned
):
    spec, out = write(), tmp_path / "nested"
    spec.write_text(
        SPEC.replace('column = "part"', "validation_size = 0.25\ntest_size = 0.1").replace(
            'target = "y"', 'target = "y"\ncolumns.part = "ignore"'
        )
    )
    result = specnet.nested_sweep(spec, out, folds=3, jobs=1, trials=2, verbose=True)
    pinned(without_numbers(capsys.readouterr().err))
    figures = []
    for fold, each in enumerate(result.sweeps):
        alone = specnet.run(out / f"fold{fold}/best.toml", threads=1)
        assert alone.metrics == each.metrics
        team = specnet.load_model(out / f"fold{fold}/team")
        test = data_of(out / f"fold{fold}/best.toml").splits["test"]
        raw = RawColumns(np.asarray(test.columns), test.kinds)
        figures.append(team.evaluate(raw, test.y)["loss"])
    summary = json.loads((out / "summary.json").read_text())
    assert summary == result.summary
    assert summary["test"]["loss"]["mean"] == pytest.approx(np.mean(figures), rel=1e-6)  # of float32
    assert summary["test"]["loss"]["std"] == pytest.approx(np.std(figures, ddof=1), rel=1e-5)


def test_what_is_wrong_with_the_test_rows_is_told_with_the_best_trial(tmp_path: Path):
    parts, copies = [("train", "test")[row % 4 == 3] for row in range(40)], [row % 18 for row in range(40)]
    rows = ["part,x,kind", *(f"{part},{row}.37,{'ab'[row % 2]}" for part, row in zip(parts, copies, strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join([*rows, "test,3,c"]) + "\n")
    (tmp_path / "spec.toml").write_text(
        """
        data = { type = "csv", path = "rows.csv", target = "kind", split = { column = "part" } }
        network.hidden_layer_sizes = [2]
        training = { loss = "categorical_crossentropy", epochs = 1, ensemble = 2 }
        sweep = { trials = 1, space = { "training.epochs" = [1, 2] } }
        """
    )
    warned = Warned()
    specnet.sweep(tmp_path / "spec.toml", tmp_path / "out", jobs=1, report=False, observer=warned)
    assert warned.codes == ["unseen-class", "rows-in-both"]
