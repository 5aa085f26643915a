"""Folders of runs, folds, sweeps and teams that are changed at random, and what `verify` notices of it.

    python -m tests.running.verification.tampering [--count 500] [--seed 0]

Each change is one to a file or a folder. It does not matter if it is to a page, to a time, or to a file that specnet
has not written; `verify` must notice all others, and name what was changed.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from specnet import Observer, SpecnetError, nested_sweep, run, run_many, sweep, verify
from tests.running.moons import interrupt
from tests.running.verification.folders import SPEC, TABLE, write_rows

SEARCH = """
[sweep]
trials = 3
sampler = "random"
[sweep.space]
"""
WITH_BASELINES = ("training.epochs=3", "data.split.validation_size=0.25")
FEW = (*WITH_BASELINES, "training.baselines=[]")
WORDS = TABLE.replace("epochs = 5", "epochs = 3\nensemble = 2  # two networks\nbaselines = []")
L2 = f'{SPEC}{SEARCH}"training.l2" = [0.0, 0.01]\n'
QUIET: dict[str, Any] = {"observer": Observer(), "report": False}
TIMED = ("run.json", "sweep.json", "runs.csv", "trials.csv")
"""Files that say how long something took."""
SECONDS = ("seconds", "training_seconds")


def make_folders(top: Path) -> list[str]:
    """Make one folder of each kind, and return the paths that can be verified, as seen from the top."""
    write_rows(top / "rows.csv")
    words = top / "words.toml"
    words.write_text(WORDS)
    run(SPEC, top / "run", overrides=WITH_BASELINES, observer=Observer())
    run(words, top / "table", **QUIET)
    interrupt(SPEC, top / "cut", 2, overrides=FEW)
    run_many(words, top / "folds", folds=2, jobs=1, **QUIET)
    run_many(SPEC, top / "seeds", folds=2, seeds=2, overrides=FEW, jobs=1, **QUIET)
    diverging = f'{SPEC}{SEARCH}"training.optimizer" = [{{ type = "sgd", learning_rate = 1e30 }}, {{ type = "sgd" }}]\n'
    sweep(diverging, top / "sweep", overrides=FEW, jobs=1, **QUIET)
    repeated = [FEW[0], FEW[-1], "sweep.folds=2", "sweep.trials=2"]
    sweep(L2, top / "repeated", overrides=repeated, jobs=1, **QUIET)
    (top / "search.toml").write_text(f'{WORDS}{SEARCH}"training.l2" = [0.0, 0.01]\n')
    sweep(top / "search.toml", top / "members", trials=2, jobs=1, **QUIET)
    nested_sweep(L2, top / "nested", folds=2, trials=2, overrides=FEW, jobs=1, **QUIET)
    whole = sorted(path.name for path in top.iterdir() if path.is_dir())
    inner = "sweep/team sweep/best sweep/trials/0000 repeated/trials/0001 folds/fold1 nested/fold0"
    return [*whole, *inner.split(" ")]


class Tampering(NamedTuple):
    """A change to a folder: of which path in it, whether it matters, and with which folder it was exchanged."""

    words: str
    path: Path
    matters: bool = True
    other: str = ""


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _rewritten(folder: Path, path: Path, content: bytes, words: str, *, matters: bool = True) -> Tampering | None:
    if content == path.read_bytes():
        return None
    path.write_bytes(content)
    return Tampering(words, path.relative_to(folder), matters and path.name != "report.html")


def _flip_bit(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice([path for path in _files(folder) if path.name not in TIMED])
    changed = bytearray(path.read_bytes())
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return _rewritten(folder, path, bytes(changed), "a bit flipped")


def _change_value(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice([path for path in _files(folder) if path.suffix == ".json"])
    owner = document = json.loads(path.read_bytes())
    while owner:
        keys = [key for key in owner if key not in SECONDS] if isinstance(owner, dict) else range(len(owner))
        key = rng.choice(keys)
        if not isinstance(owner[key], dict | list) or not owner[key]:
            owner[key] = rng.choice([owner[key] * 2 if isinstance(owner[key], int | float) else 1, None, "x", 0, True])
            break
        owner = owner[key]
    content = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return _rewritten(folder, path, content.encode(), "a value changed")


def _change_time(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice([path for path in _files(folder) if path.name in TIMED[:2]] or [None])
    if path is None:
        return None
    facts = json.loads(path.read_bytes())
    facts["seconds"] = rng.choice([0.25, 1e-05, 3, 12.5])
    content = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    return _rewritten(folder, path, content.encode(), "a time changed", matters=False)


def _remove_file(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice(_files(folder))
    path.unlink()
    is_folder = path.parent == folder  # which is none any more that can be verified, if that was its record
    other = folder.name if is_folder else ""
    return Tampering("the file removed", path.relative_to(folder), path.name != "report.html", other)


def _other_file(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice(_files(folder))
    others = [other for other in _files(folder) if other != path and other.name == path.name]
    if not others:
        return None
    other = rng.choice(others)
    return _rewritten(folder, path, other.read_bytes(), f"replaced by {other.relative_to(folder)}")


def _inner(folder: Path) -> list[Path]:
    """Return the folders in one that specnet writes as a whole."""
    return sorted(path for path in folder.rglob("*") if path.is_dir() and path.name != "trials")


def _remove_folder(folder: Path, rng: random.Random) -> Tampering | None:
    inner = _inner(folder)
    if not inner:
        return None
    path = rng.choice(inner)
    shutil.rmtree(path)
    return Tampering("the folder removed", path.relative_to(folder))


def _replace_folder(folder: Path, rng: random.Random) -> Tampering | None:
    inner = _inner(folder)
    path = rng.choice(inner) if inner else folder
    others = [each for each in inner if each != path and each.parent == path.parent]
    if not others:
        return None
    other = rng.choice(others)
    if rng.random() < 0.5:
        shutil.rmtree(path)
        shutil.copytree(other, path)
        return Tampering(f"replaced by a copy of {other.name}", path.relative_to(folder))
    spare = path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)
    return Tampering(f"exchanged with {other.name}", path.relative_to(folder), other=other.name)


def _new_folder(folder: Path, rng: random.Random) -> Tampering | None:
    inner = [path for path in _inner(folder) if re.fullmatch(r"(seed\d+_)?fold\d+|\d{4}", path.name)]
    if not inner:
        return None
    path = rng.choice(inner)
    new = path.with_name(f"{7:04}" if path.name.isdigit() else re.sub(r"\d+$", "7", path.name))
    shutil.copytree(path, new)
    return Tampering(f"a copy of {path.name}", new.relative_to(folder))


def _foreign_file(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice([folder, *_inner(folder)]) / "notes.txt"
    path.write_text("read twice\n")
    return Tampering("a file of somebody else", path.relative_to(folder), matters=False)


def _page(folder: Path, rng: random.Random) -> Tampering | None:
    path = rng.choice([folder, *_inner(folder)]) / "report.html"
    path.write_text("<p>nothing</p>\n")
    return Tampering("another page", path.relative_to(folder), matters=False)


CHANGES: list[Callable[[Path, random.Random], Tampering | None]] = [
    *[_flip_bit] * 9,
    *[_change_value] * 4,
    *[_change_time] * 2,
    *[_remove_file, _other_file, _remove_folder] * 2,
    *[_replace_folder] * 3,
    *[_new_folder, _foreign_file, _page] * 2,
]


def wrong(folder: Path, done: Tampering) -> str:
    """Return what is wrong with what `verify` says of a folder that was tampered with; nothing if it is right."""
    try:
        found = verify(folder, observer=Observer())
    except SpecnetError as error:
        said = str(error)
    except Exception as error:  # which a user would see as a traceback
        return f"{type(error).__name__}: {error}"
    else:
        if found.is_same:
            return "not noticed" if done.matters else ""
        said = " ".join([str(each) for run in found.others for each in (run.name, run, *run.differences)])
    if not done.matters:
        return f"noticed: {said}"
    names = [done.path.name, *filter(None, [done.other, done.path.suffix and done.path.parent.name])]
    return "" if any(name in said for name in names) else f"{done.path} is not named: {said}"


def copy_of(top: Path, name: str, place: Path) -> Path:
    """Copy a folder and the tables beside it, and return the top of the copy."""
    for path in (top / "rows.csv", *top.glob("*.toml")):
        shutil.copy(path, place)
    whole = Path(name).parts[0]
    shutil.copytree(top / whole, place / whole)
    return place


def tampered(top: Path, names: list[str], count: int, seed: int) -> Iterator[tuple[str, Tampering, str]]:
    """Yield so many changes to copies of folders, with the name of the folder and what is wrong."""
    rng, done = random.Random(seed), 0
    while done < count:
        name = names[rng.randrange(len(names))]
        with TemporaryDirectory() as place:
            copy = copy_of(top, name, Path(place))
            change = rng.choice(CHANGES)(copy / name, rng)
            if change is None:
                continue
            done += 1
            yield name, change, wrong(copy / name, change)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        top, problems, counts = Path(place), 0, Counter[str]()
        names = make_folders(top)
        for name, change, problem in tampered(top, names, options.count, options.seed):
            counts["mattered" if change.matters else "did not matter"] += 1
            if problem:
                problems += 1
                print(f"{name}: {change.path}: {change.words}: {problem[:300]}", flush=True)
    print(f"{options.count} changes to {len(names)} folders: {dict(counts)}")
    print(f"{problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
