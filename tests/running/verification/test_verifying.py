"""A run that is made again, whole or up to an epoch: the same, or what differs, how far, and why."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from specnet import DataError, FileError, Observer, TakenError, load_model, run, verify
from specnet.running.verification.file_differences import are_same, distance
from specnet.training.steps.engine_choice import Choice
from tests.compiling import compiles
from tests.files.test_interruptions import during_step
from tests.made import data_of, run_copied, tensors_in
from tests.running.moons import Interrupting, contents, interrupt
from tests.running.verification.folders import (
    FILES,
    SPEC,
    change_facts,
    change_model,
    made,
    one_ulp_up,
    only,
    other_numpy,
    record,
    run_table,
    verified,
    without_hashes,
)
from tests.texts.pinned import Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run, to be changed."""
    return run_copied(SPEC, tmp_path / "run", report=False)


def test_a_run_is_the_same_and_its_folder_is_left_alone(folder: Path):
    before = contents(folder)
    found = verify(folder, observer=Observer())
    assert (found.is_same, found.holds, found.total, found.folder) == (True, True, 1, None)
    assert only(found).differences == only(found).machine == only(found).inputs == ()
    assert str(only(found)) == f"the same {FILES} files"
    assert set(only(found).files) == before.keys()
    assert contents(folder) == before


def test_a_changed_bit_of_the_model_is_found(folder: Path):
    change_model(folder, "layers.0.weight", lambda weight: one_ulp_up(weight[1]))
    found = verified(folder)
    (difference,) = found.differences
    assert (difference.file, difference.name, difference.epoch) == ("model.safetensors", "layers.0.weight", None)
    assert (difference.distance.count, difference.distance.size, difference.distance.ulps) == (2, 8, 1)
    assert str(difference).startswith("model.safetensors differs: layers.0.weight, 2 of 8 values, at most 1 ulp (")
    assert found.inputs == found.machine == ()
    assert found.predictions.rows == 60
    assert (found.predictions.others, found.predictions.largest < 1e-6) == (0, True)


def test_other_integers_and_tensors_of_another_form_are_told(folder: Path, tmp_path: Path):
    change_model(folder, "labels", lambda labels: labels.__iadd__(1))
    (difference,) = verified(folder).differences
    assert (str(difference), difference.largest) == ("model.safetensors differs: labels, other values", None)
    made(tmp_path / "larger", SPEC.replace("[4]", "[5]"))
    shutil.copy(tmp_path / "larger/model.safetensors", folder)
    record(folder)
    (difference,) = verified(folder).differences
    assert str(difference) == ("model.safetensors differs: layers.0.bias float32 of shape (5,) → float32 of shape (4,)")


VALUES = SPEC.replace('"make_moons"', '"make_regression"\nn_features = 2').replace("binary_crossentropy", "mse")


@pytest.mark.parametrize("spec", [SPEC, VALUES.replace('"accuracy"', '"r2"')], ids=["classes", "values"])
def test_predictions_of_both_models_are_compared_on_all_rows(tmp_path: Path, spec: str):
    folder = made(tmp_path / "run", spec)
    table = data_of(spec).table
    made_again = load_model(folder / "model.safetensors")
    change_model(folder, "layers.1.bias", lambda bias: bias.__iadd__(0.5))
    kept, found = load_model(folder / "model.safetensors"), verified(folder).predictions
    one, other = (model.predict(table.X) for model in (kept, made_again))
    if made_again.labels is None:
        largest, others, told = np.abs(one - other).max(), None, "values differ"
    else:
        probabilities = kept.predict_proba(table.X) - made_again.predict_proba(table.X)
        largest, others = np.abs(probabilities).max(), int((one != other).sum())
        told = f"another label for {others}, probabilities differ"
        assert others
    assert (found.rows, found.others, found.largest) == (60, others, pytest.approx(largest, rel=1e-5))
    assert str(found) == f"predictions of 60 rows: {told} by at most {found.largest:.1e}"
    assert found.as_dict() == {"rows": 60, "others": others, "largest": found.largest, "sentence": str(found)}


def test_a_model_that_was_changed_after_the_run_is_reported_as_such(folder: Path):
    change_model(folder, "layers.0.weight", one_ulp_up, recorded=False)
    found = verified(folder)
    (difference,) = found.differences
    assert str(difference).endswith("; changed after the run")
    assert (difference.distance.ulps, difference.largest, found.inputs) == (1, None, ())
    other_numpy(folder)
    assert verify(folder, tolerance=1e-6).holds
    change_model(folder, "layers.0.weight", one_ulp_up, recorded=False)
    assert not verify(folder, tolerance=1e-6).holds


def test_the_first_epoch_that_differs_is_told(folder: Path):
    path = folder / "history.jsonl"
    lines = path.read_text().splitlines()
    records = [json.loads(line) for line in lines]
    records[6]["loss"] = float(np.nextafter(records[6]["loss"], 1))
    records[9]["loss"] += 0.5
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    record(folder)
    (difference,) = verified(folder).differences
    assert (difference.file, difference.name, difference.epoch) == ("history.jsonl", "loss", 7)
    assert difference.distance.ulps == 1
    assert difference.largest > 0.1
    assert (float(difference.then), difference.now) == (records[6]["loss"], repr(json.loads(lines[6])["loss"]))


def test_looks_and_snapshots_say_the_epoch_and_the_layer(folder: Path):
    path = folder / "layers.jsonl"
    looks = [json.loads(line) for line in path.read_text().splitlines()]
    looks[3]["layers"][1]["gradient"] *= 2
    path.write_text("".join(json.dumps(look) + "\n" for look in looks))
    (folder / "snapshots.safetensors").unlink()
    looked, missing = verified(folder).differences
    assert (looked.file, looked.name, looked.epoch) == ("layers.jsonl", "layers.1.gradient", looks[3]["epoch"])
    assert (missing.file, missing.then, missing.now) == ("snapshots.safetensors", "missing", "exists")


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("spec.toml", "", "\ufeff", 'line 1 "\ufeff" → ""'),
        ("spec.resolved.json", "moons", "y" * 58, f'name "{"y" * 58}" → "moons"'),
        ("spec.resolved.json", "moons", "y" * 59, f'name "{"y" * 58}… → "moons"'),
        ("metrics.json", "}", "} ", "the same values in other bytes"),
        ("model.safetensors", '\\"seed\\":0', '\\"seed\\":7', "metadata.models.0.spec.seed 7 → 0"),
    ],
)
def test_a_file_that_was_changed_after_the_run_is_told_as_such(folder: Path, name: str, old: str, new: str, told: str):
    content = (folder / name).read_bytes()
    assert old.encode() in content
    (folder / name).write_bytes(content.replace(old.encode(), new.encode(), 1))
    (difference,) = verified(folder).differences
    assert str(difference) == f"{name} differs: {told}; changed after the run"
    assert difference.as_dict()["sentence"] == str(difference)


def test_a_model_that_says_nothing_of_itself_is_refused(folder: Path, refused: Refused):
    path = folder / "model.safetensors"
    path.write_bytes(save(tensors_in(path), {"specnet": "[]"}))
    with refused(FileError):
        verify(folder)


def test_other_versions_are_named_then_and_now(folder: Path):
    other_numpy(folder)
    blas = json.loads((folder / "run.json").read_text())["blas"] | {"architecture": "Elsewhere"}
    compiler = {"name": "gcc 1.0", "target": "MMX"}
    change_facts(folder, blas=blas, cpu_features=["NOTHING"], engine="compiled", compiler=compiler)
    found = verified(folder)
    assert found.is_same
    then = {"numpy": "1.0", "BLAS kernels": "Elsewhere", "CPU features": "NOTHING", "engine": "compiled"}
    assert {change.key: change.then for change in found.machine} == then
    now = {change.key: change.now for change in found.machine}
    assert (now["numpy"], now["engine"]) == (np.__version__, "numpy")


def test_a_run_has_the_threads_that_it_had(folder: Path, tmp_path: Path):
    made(tmp_path / "one", threads=1)
    assert verified(tmp_path / "one").machine == ()
    (change,) = verified(tmp_path / "one", threads=2).machine
    assert tuple(change) == ("threads", "1", "2")


def test_rounding_is_accepted_up_to_a_tolerance_where_the_machine_differs(folder: Path):
    change_model(folder, "layers.0.weight", one_ulp_up)
    largest = verified(folder).largest
    assert 0 < largest < 1e-6
    assert not verify(folder, tolerance=1.0).holds  # nothing differs that would explain it
    other_numpy(folder)
    assert verified(folder).is_rounded
    assert not verify(folder).holds
    accepted = verify(folder, tolerance=largest)
    assert (accepted.holds, accepted.is_same, verify(folder, tolerance=largest * 0.99).holds) == (True, False, False)
    metrics = folder / "metrics.json"  # where a number of rows differs, no tolerance helps
    metrics.write_text(metrics.read_text().replace('"train": 45', '"train": 46'))
    found = verify(folder, tolerance=1e9)
    assert (found.holds, only(found).is_rounded, only(found).largest) == (False, False, None)


def test_a_changed_cell_is_named(tmp_path: Path):
    folder = run_table(tmp_path)
    assert verified(folder).is_same
    text = (tmp_path / "rows.csv").read_text()
    for cell, told, files in (
        (",1.304,", "45, none of them new", {"metrics.json"}),  # of a test row
        (",-0.536,", "45, 1 of them new", {"history.jsonl", "model.safetensors", "metrics.json"}),
    ):
        assert text.count(cell) == 1
        (tmp_path / "rows.csv").write_text(text.replace(cell, f"{cell[:-2]}9,"))
        found = verified(folder)
        assert files <= {each.file for each in found.differences}
        changes = {change.key: change for change in found.inputs}
        assert changes.keys() == {"data (SHA-256)", "training rows"}
        assert (changes["training rows"].then, changes["training rows"].now) == ("45", told)
        assert not verify(folder, tolerance=1e9).holds


def test_settings_of_the_run_hold_and_another_spec_is_told(folder: Path, tmp_path: Path):
    made(tmp_path / "set", overrides=["training.epochs=5", "seed=9"])
    assert verified(tmp_path / "set").is_same
    change_facts(tmp_path / "set", overrides=["training.epochs=6", "seed=9"])
    found = verified(tmp_path / "set")
    assert [tuple(change) for change in found.inputs] == [("training.epochs", "5", "6")]
    assert {"spec.resolved.json", "history.jsonl", "model.safetensors"} <= {each.file for each in found.differences}


@pytest.mark.usefixtures("born_loaded")
def test_members_at_once_are_the_same(tmp_path: Path):
    made(tmp_path / "run", overrides=["training.ensemble=3"])
    assert verified(tmp_path / "run", jobs=2).is_same


def test_what_is_made_can_be_kept_and_is_a_run(folder: Path, tmp_path: Path, refused: Refused):
    out = tmp_path / "deep" / "again"
    assert verify(folder, out).folder == out
    assert {name: content for name, content in contents(folder).items() if name != "run.json"} == {
        name: content for name, content in contents(out).items() if name != "run.json"
    }
    with refused(TakenError):
        verify(folder, out)
    assert verify(folder, out, force=True).is_same
    for same in (folder, folder / ".." / "run"):
        with refused(DataError):
            verify(folder, same, force=True)


def test_an_interruption_leaves_nothing(folder: Path, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        verify(folder, tmp_path / "out", observer=Interrupting(4))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_verified_is_refused(folder: Path, tmp_path: Path, refused: Refused):
    run_table(tmp_path)
    (tmp_path / "rows.csv").unlink()
    for wrong in (folder / "model.safetensors", tmp_path / "nothing", tmp_path, tmp_path / "table"):
        with refused(FileError):
            verify(wrong)
    for options in ({"tolerance": each} for each in (0, -1e-6, float("nan"), float("inf"), True, "1")):
        with refused(DataError):
            verify(folder, **options)
    for options in ({"jobs": 2}, {"sample": 1}):  # without an ensemble, and without a series
        with refused(DataError):
            verify(folder, **options)
    text = (folder / "spec.toml").read_text()
    (folder / "spec.toml").write_text(text[: text.index("[data]")] + text[text.index("[network]") :])
    with refused(DataError):
        verify(folder)
    (folder / "spec.toml").write_text(text)
    (folder / "history.jsonl").write_text("{")
    with refused(FileError):
        verify(folder)
    (folder / "spec.toml").unlink()
    with refused(DataError):
        verify(folder)
    change_facts(folder, epochs="many")
    with refused(FileError):
        verify(folder)


@compiles
def test_another_engine_and_another_compiler_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "specnet.training.steps.engine_choice._fastest", lambda *_: Choice("compiled", "as the test says")
        )
        found = verified(folder)
        (engine,) = found.machine
        assert tuple(engine) == ("engine", "numpy", "compiled")
        assert found.is_same or found.largest < 1e-3
        made(folder / "compiled")
        facts = json.loads((folder / "compiled/run.json").read_text())
        assert facts["compiler"].keys() == {"name", "target"}
        change_facts(folder / "compiled", compiler={"name": "gcc 1.0", "target": "MMX"})
        found = verified(folder / "compiled")
        assert found.is_same
        assert [tuple(change) for change in found.machine] == [
            ("compiler", "gcc 1.0", facts["compiler"]["name"]),
            ("compiled for", "MMX", facts["compiler"]["target"]),
        ]


SPECS = sorted(path for path in Path("specs").iterdir() if path.suffix in (".toml", ".json"))
LONG = ("realmlp", "digits", "sweep_digits")


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ()) for path in SPECS]
)
def test_a_short_run_of_it_is_the_same(path: Path, tmp_path: Path):
    made(tmp_path / "run", str(path), overrides=["training.epochs=1" if path.stem in LONG else "training.epochs=4"])
    found = verified(tmp_path / "run")
    assert found.is_same
    assert found.machine == found.inputs == ()


def test_the_beginning_alone_is_that_of_the_whole_run(tmp_path: Path):
    schedule = 'optimizer = { type = "sgd", learning_rate = 0.1, schedule = "cosine_decay" }\nbatch_size = 16'
    made(tmp_path / "run", SPEC.replace("epochs = 12", f"epochs = 40\n{schedule}\nlog_every = 3"))
    for epochs in (1, 5, 39, 40):
        found = verified(tmp_path / "run", epochs=epochs)
        assert found.is_same
        assert (found.beginning and found.beginning.epochs) == (epochs if epochs < 40 else None)
    lines = (tmp_path / "run/history.jsonl").read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "loss": 7.0})  # of epoch 7
    (tmp_path / "run/history.jsonl").write_text("\n".join(lines) + "\n")
    assert verified(tmp_path / "run", epochs=6).is_same
    (difference,) = verified(tmp_path / "run", epochs=7).differences
    assert (difference.file, difference.epoch) == ("history.jsonl", 7)
    assert str(verified(tmp_path / "run", epochs=6)) == "the same 5 files up to epoch 6"
    epochs = []
    observer = Observer()
    observer.logged = lambda epoch, record: epochs.append(epoch)
    verify(tmp_path / "run", epochs=6, observer=observer)
    assert epochs == [1, 4]
    (tmp_path / "run/history.jsonl").write_text("\n".join(lines[:2] + lines[3:]) + "\n")
    (difference,) = verified(tmp_path / "run").differences
    assert (difference.epoch, difference.name, difference.then) == (7, "loss", "not set")


@pytest.mark.parametrize(
    "training",
    [
        ["optimizer=lbfgs"],
        ["average_weights=exponential", "batch_size=16"],
        ["early_stopping.patience=2", "optimizer.learning_rate=0.1"],
    ],
)
def test_whatever_trains_is_the_same_whole_and_up_to_an_epoch(tmp_path: Path, training: list[str]):
    overrides = [f"training.{setting}" for setting in training]
    made(tmp_path / "run", overrides=[*overrides, "data.split.validation_size=0.2"])
    assert verified(tmp_path / "run").is_same
    assert verified(tmp_path / "run", epochs=3).is_same


def test_an_interrupted_run_is_compared_as_far_as_it_came(tmp_path: Path):
    interrupt(SPEC, tmp_path / "run", 5)
    found = verified(tmp_path / "run")
    assert found.is_same
    assert (found.beginning.epochs, str(found)) == (5, f"the same {FILES + 1} files up to epoch 5")
    assert {"checkpoint.safetensors", "model.safetensors", "metrics.json"} <= set(found.files)
    assert verified(tmp_path / "run", epochs=9).files == found.files
    cut = verified(tmp_path / "run", epochs=3)
    assert cut.is_same
    assert not {"checkpoint.safetensors", "model.safetensors"} & set(cut.files)
    run(SPEC, tmp_path / "run", resume=True, observer=Observer())
    assert verified(tmp_path / "run").is_same


def test_a_changed_checkpoint_is_found(tmp_path: Path):
    interrupt(SPEC.replace("12", "13"), tmp_path / "run", 5)
    interrupt(SPEC.replace("12", "13"), tmp_path / "other", 5, overrides=["training.l2=0.1"])
    (tmp_path / "other/checkpoint.safetensors").replace(tmp_path / "run/checkpoint.safetensors")
    (difference,) = verified(tmp_path / "run").differences
    assert difference.file == "checkpoint.safetensors"
    assert difference.distance.count > 0


def test_a_run_that_was_interrupted_within_an_epoch_is_compared_up_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        during_step(patch, 4 * 3 + 1)  # of three steps an epoch
        with pytest.raises(KeyboardInterrupt):
            run(SPEC.replace("epochs = 12", "epochs = 12\nbatch_size = 16"), tmp_path / "run", observer=Observer())
    assert json.loads((tmp_path / "run/run.json").read_text())["end"] == "interrupted in epoch 5"
    found = verified(tmp_path / "run")
    assert (found.is_same, found.beginning.epochs) == (True, 4)
    assert {"model.safetensors", "checkpoint.safetensors", "run.json"} <= set(found.files)
    change_model(tmp_path / "run", "layers.1.bias", one_ulp_up, recorded=False)
    found = verified(tmp_path / "run")
    (difference,) = found.differences
    assert (difference.file, difference.name, found.inputs) == ("model.safetensors", "SHA-256", ())
    without_hashes(tmp_path / "run")
    found = verified(tmp_path / "run")
    assert [each.file for each in found.differences] == ["model.safetensors"]
    assert found.unchecked == (
        *("spec.toml", "background.safetensors", "metrics.json", "findings.json"),
        *("checkpoint.safetensors", "run.json"),
    )


def test_a_run_without_an_epoch_has_nothing_to_compare(tmp_path: Path, refused: Refused):
    class AtOnce(Observer):
        def trained(self, epoch, snapshot):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SPEC, tmp_path / "run", observer=AtOnce())
    with refused(DataError):
        verify(tmp_path / "run")


def test_ensembles_whole_begun_and_interrupted(tmp_path: Path):
    overrides = ["training.ensemble=3", "training.epochs=6"]
    made(tmp_path / "run", overrides=overrides)
    assert verified(tmp_path / "run").is_same
    found = verified(tmp_path / "run", epochs=2)
    assert (found.is_same, found.beginning) == (True, (0, 2))

    interrupt(SPEC, tmp_path / "cut", 3, 1, overrides=overrides)
    found = verified(tmp_path / "cut")
    assert (found.is_same, found.beginning) == (True, (1, 3))
    assert str(found) == f"the same {FILES + 1} files up to epoch 3 of member 1"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1.0, -1.0, 3e-5, 0.0, -1e30])
def test_each_next_number_is_one_ulp_away(dtype, value):
    then = np.array([value, 2.0], dtype)
    now = then.copy()
    for steps in range(1, 4):
        now[0] = np.nextafter(now[0], dtype(np.inf))
        found = distance(then, now)
        assert (found.count, found.size, found.ulps) == (1, 2, steps)
        assert found.absolute == abs(float(now[0]) - float(then[0]))
        assert found.relative == found.absolute / max(abs(float(then[0])), 2.0)


def test_ulps_across_zero_count_the_numbers_between():
    smallest = np.nextafter(np.float32(0), np.float32(1))
    found = distance(np.array([-smallest]), np.array([smallest]))
    assert found.ulps == 3  # over -0 and 0
    assert distance(np.array([-np.inf]), np.array([np.inf])).ulps == 2 * int(np.array(np.inf).view(np.uint64)) + 1


def test_the_sign_of_zero_is_a_bit():
    then, now = np.array([0.0]), np.array([-0.0])
    assert not are_same(then, now)
    found = distance(then, now)
    assert (found.count, found.ulps, found.absolute, found.relative) == (1, 1, 0.0, 0.0)


def test_where_all_was_zero_no_difference_is_small():
    assert distance(np.zeros(2), np.array([0.0, 1e-300])).relative == math.inf


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_longer_finite_is_infinitely_far_away(number):
    then = np.array([number, 1.0])
    assert (distance(then, np.array([1.0, 1.0])).relative, distance(np.ones(2), then).relative) == (math.inf, math.inf)
    assert distance(then, np.array([number, 1.5])).relative == 0.5


def test_numbers_of_documents_are_those_of_their_digits():
    found = distance("0.1", repr(math.nextafter(0.1, 1)))
    assert (found.ulps, found.size) == (1, 1)
    assert found.relative == pytest.approx(1.4e-16, rel=0.1)
    assert are_same("0.1", "0.1")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("1", "2"),  # numbers of rows
        ("1", "1.0"),
        ('"a"', '"b"'),
        ("null", "0.5"),
        (None, "0.5"),
        (np.ones(2), np.ones(3)),
        (np.ones(2), np.ones(2, np.float32)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.ones(1), "1.0"),
    ],
)
def test_what_is_no_matter_of_rounding_has_no_distance(then, now):
    assert not are_same(then, now)
    assert distance(then, now) is None
