"""What `verify` notices of changes to folders: some that are chosen, and a sample of random ones."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from specnet import FileError, Observer, sweep, verify
from specnet.compiler.thread_limits import limited_threads
from tests.running.verification.folders import SPEC, change_model, one_ulp_up, record, without_hashes
from tests.running.verification.tampering import FEW, QUIET, SEARCH, copy_of, make_folders, tampered

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders that can be verified; the first is the one that they are in."""
    top = tmp_path_factory.mktemp("tampering")
    return [top, *map(Path, make_folders(top))]


@pytest.fixture
def top(names: list[Path]) -> Path:
    return names[0]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_untouched_folders_are_the_same_with_any_number_of_threads(names: list[Path], threads: int):
    """A run, an ensemble on a table and a sweep with each number; of the others, made of such, each with one."""
    top, *others = names
    each = [Path(name) for name in ("run", "table", "sweep")]
    each_once = [name for name in others if name not in each]
    with limited_threads(threads):
        others = {name: verify(top / name, observer=Observer()).others for name in each + each_once[threads - 1 :: 3]}
    assert {name: found for name, found in others.items() if found} == {}


def test_what_matters_is_noticed_and_nothing_else(names: list[Path]):
    top, *others = names
    found = list(tampered(top, [str(name) for name in others], count=20, seed=1))
    assert {change.matters for _, change, _ in found} == {True, False}
    assert [(name, change, wrong) for name, change, wrong in found if wrong] == []


def number(path: str, pattern: str, text: str) -> Callable[[Path], None]:
    """Return what changes a number in a file."""

    def change(top: Path) -> None:
        before = (top / path).read_text()
        after = re.sub(pattern, text, before, count=1)
        assert after != before
        (top / path).write_text(after)

    return change


def copied(path: str, other: str) -> Callable[[Path], None]:
    """Return what replaces a folder by a copy of another one."""

    def change(top: Path) -> None:
        shutil.rmtree(top / path)
        shutil.copytree(top / other, top / path)

    return change


def exchanged(path: str, other: str) -> Callable[[Path], None]:
    """Return what exchanges two folders."""

    def change(top: Path) -> None:
        (top / path).rename(top / "spare")
        (top / other).rename(top / path)
        (top / "spare").rename(top / other)

    return change


def removed(path: str) -> Callable[[Path], None]:
    """Return what removes a folder."""
    return lambda top: shutil.rmtree(top / path)


def other_best(top: Path) -> None:
    """Replace the best run by one of another spec, which is as whole as the run itself."""
    spec = f'{SPEC}{SEARCH}"training.l2" = [0.3, 0.4]\n'
    sweep(spec, top / "other", overrides=[*FEW, "training.l2=0.2"], jobs=1, **QUIET)
    copied("sweep/best", "other/best")(top)


def unfinished(top: Path) -> None:
    """Let a run with another model say that it has not finished."""
    change_model(top / "run", "layers.1.bias", one_ulp_up, recorded=False)
    number("run/run.json", '"finished": true', '"finished": false')(top)


def held_out(top: Path) -> None:
    """Flip the last bit of what a trial answers."""
    path = top / "sweep/trials/0000/held_out.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


FIRST_MEAN = r'(?<="mean": 0\.)\d'
FIRST_FIGURE = r"(?<=finished,0\.)\d"
Change = Callable[[Path], None]
CHOSEN: dict[str, tuple[str, Change, str]] = {
    "summary": ("folds", number("folds/summary.json", FIRST_MEAN, "9"), ":summary.json"),
    "nested-summary": ("nested", number("nested/summary.json", FIRST_MEAN, "9"), ":summary.json"),
    "runs": ("folds", number("folds/runs.csv", FIRST_FIGURE, "9"), ":runs.csv"),
    "trials": ("sweep", number("sweep/trials.csv", FIRST_FIGURE, "9"), ":trials.csv"),
    "best-toml": ("sweep", number("sweep/best.toml", "epochs = 3", "epochs = 4"), ":best.toml"),
    "sweep-json": ("sweep", number("sweep/sweep.json", r'"trial": \d', '"trial": 8'), ":sweep.json"),
    "journal": ("sweep", number("sweep/study.journal", '"value":0', '"value":1'), ":study.journal"),
    "fold-removed": ("folds", removed("folds/fold1"), "fold1: :runs.csv :summary.json"),
    "trial-removed": ("repeated", removed("repeated/trials/0001"), "trials/0001: :trials.csv"),
    "sweep-removed": ("nested", removed("nested/fold1"), "fold1: :summary.json"),
    "fold-copied": ("folds", copied("folds/fold1", "folds/fold0"), "fold1:spec.toml :runs.csv"),
    "folds-exchanged": ("folds", exchanged("folds/fold0", "folds/fold1"), "fold0:spec.toml fold1:spec.toml :runs.csv"),
    "sweeps-exchanged": ("nested", exchanged("nested/fold0", "nested/fold1"), "fold0:sweep.json fold1:sweep.json"),
    "best-of-another-spec": ("sweep", other_best, "best:spec.toml"),
    "held-out": ("sweep", held_out, "trials/0000:held_out.safetensors"),
    "unfinished": ("run", unfinished, ":model.safetensors :run.json"),
    "comment": ("run", number("run/spec.toml", r"\n", "\n# another comment\n"), ":spec.toml"),
    "comment-of-sweep": ("sweep", number("sweep/spec.toml", r"\n", "\n# another\n"), ":spec.toml"),
    "comment-of-trial": ("sweep", number("sweep/trials/0000/spec.toml", r"\n", "\n# a\n"), "trials/0000:spec.toml"),
    "rows-of-trial": (
        "nested",
        number("nested/fold0/trials/0000/spec.toml", "n_samples = 60", "n_samples = 68"),
        "fold0/trials/0000:spec.toml fold0/team:",
    ),
    "version": ("table", number("table/run.json", r'(?<="numpy": ")\d', "7"), ":run.json"),
}
"""A folder, what is changed in it, and what is named: a run and its file, or a run alone, which has a message."""


@pytest.mark.parametrize("name", CHOSEN)
def test_a_change_is_noticed_and_named(top: Path, tmp_path: Path, name: str):
    folder, change, expected = CHOSEN[name]
    copy = copy_of(top, folder, tmp_path)
    change(copy)
    found = verify(copy / folder, observer=Observer())
    named = {f"{run.name}:{each.file}" for run in found.others for each in run.differences}
    named |= {f"{run.name}:" for run in found.others if run.message}
    assert {*expected.split(" ")} <= named
    assert not found.holds
    if name in ("summary", "runs", "trials", "journal", "held-out", "comment", "version"):
        assert named - {"team:team.json", "team:metrics.json"} == {expected}


@pytest.mark.parametrize("name", ["run", "table", "folds", "sweep", "nested", "sweep/team", "sweep/trials/0000"])
def test_folders_of_earlier_versions_are_the_same_as_far_as_they_can_be_checked(top: Path, tmp_path: Path, name: str):
    copy = copy_of(top, name, tmp_path)
    without_hashes(copy)
    found = verify(copy / name, observer=Observer())
    assert found.is_same
    unchecked = {each for run in found.runs for each in run.unchecked}
    of_sweep = {"sweep.json", "study.journal"} if name in ("sweep", "nested") else set()
    assert unchecked == (set() if name == "sweep/team" else {"spec.toml", "run.json", *of_sweep})
    assert not any({*run.files} & {*run.unchecked} for run in found.runs)


@pytest.mark.parametrize("name", ["summary", "trials", "fold-copied", "held-out", "best-toml", "best-of-another-spec"])
def test_results_of_earlier_versions_are_compared_all_the_same(top: Path, tmp_path: Path, name: str):
    folder, change, expected = CHOSEN[name]
    copy = copy_of(top, folder, tmp_path)
    change(copy)
    without_hashes(copy)
    others = verify(copy / folder, observer=Observer()).others
    assert {*expected.split(" ")} <= {f"{run.name}:{each.file}" for run in others for each in run.differences}


def test_a_run_that_failed_is_made_again_by_the_spec_of_another_fold(top: Path, tmp_path: Path):
    """Of a fold that diverged there is a row alone."""
    copy = copy_of(top, "seeds", tmp_path)
    shutil.rmtree(copy / "seeds/seed1_fold1")
    runs = copy / "seeds/runs.csv"
    header, *rows = runs.read_text().splitlines()
    *others, last = rows
    cells = last.split(",")
    blank = [*cells[:3], "diverged", *[""] * (len(cells) - 7), "0", cells[-2], "the loss is nan in epoch 1"]
    runs.write_text("\n".join([header, *others, ",".join(blank)]) + "\n")
    (found,) = [run for run in verify(copy / "seeds", observer=Observer()).others if run.name == ""]
    states = [each for each in found.differences if each.file == "runs.csv"]
    assert (states[0].name, states[0].then, states[0].now) == ("seed1_fold1 state", '"diverged"', '"finished"')


def test_a_damaged_resolved_spec_is_refused(top: Path, tmp_path: Path):
    copy = copy_of(top, "run", tmp_path)
    number("run/spec.resolved.json", ",\n", "\n")(copy)
    with pytest.raises(FileError, match=r"spec\.resolved\.json"):
        verify(copy / "run", observer=Observer())


def test_a_record_that_was_changed_with_its_hashes_is_compared(top: Path, tmp_path: Path):
    copy = copy_of(top, "run", tmp_path)
    number("run/run.json", r'"epochs": 3', '"epochs": 4')(copy)
    record(copy / "run")
    (found,) = verify(copy / "run", observer=Observer()).runs
    assert [(each.file, each.name, each.is_changed) for each in found.differences] == [("run.json", "epochs", False)]
