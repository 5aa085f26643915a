"""Hints of the documented errors as a user follows them: what is typed, or why nothing can be."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable, Mapping
from contextlib import chdir, nullcontext
from pathlib import Path
from typing import NamedTuple

from tests.docs.reference.causes import CAUSES, CLASSES, RUN, SWEPT, TABLE, Cause


class Edit(NamedTuple):
    """How the hint in a spec's message is followed in the spec.

    Attributes
    ----------
    hint : str
        What the message says.
    old, new : str
        What stands in the spec, and what is typed instead.
    """

    hint: str
    old: str
    new: str


class Typed(NamedTuple):
    """How the hint in a command's message is followed.

    Attributes
    ----------
    cause : Cause
        The command with the message.
    hint : str
        What the message says.
    line : str
        The command that is typed then; the same as before where a file is edited.
    files : mapping
        Files that are edited.
    has_passed : bool
        Whether the state of the machine is another one by then.
    """

    cause: Cause
    hint: str
    line: str
    files: Mapping[str, str] = {}
    has_passed: bool = False

    def said(self) -> tuple[str, str]:
        """Return what the first command says, and what the second one does, in a folder of their own."""
        cause = self.cause
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            cause.prepare()
            with cause.state():
                first = cause.says(cause.line)
            for name, text in self.files.items():
                Path(name).write_text(text, encoding="utf-8")
            with nullcontext() if self.has_passed else cause.state():
                return first, cause.says(self.line)


_WRITTEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
EDITS = {code: Edit(**fields) for code, fields in _WRITTEN["edits"].items()}
"""By codes of specs, in the examples of the documentation."""
NOT_TYPED: dict[str, str] = _WRITTEN["not_typed"]
"""Codes whose hints are not followed by typing, and why."""


def _table(*columns: Callable[[int], object], **files: str) -> dict[str, str]:
    """Return a spec and its table of 40 rows: a, b, perhaps c, and the target; other tables by their names."""
    names = [*"abc"[: len(columns) - 1], "kind"]
    lines = [",".join(names), *(",".join(str(column(row)) for column in columns) for row in range(40))]
    return TABLE | {"rows.csv": "\n".join(lines) + "\n"} | {f"{name}.csv": text for name, text in files.items()}


def a(row: int) -> int:
    return row * 7 % 11


def b(row: int) -> int:
    return row * 5 % 13


def kind(row: int) -> str:
    return "xy"[row * row % 7 < 3]


def _set(cause: Cause, hint: str, *settings: str) -> Typed:
    """Return what is typed where a hint names settings."""
    return Typed(cause, hint, " ".join([cause.line, *(f"--set '{setting}'" for setting in settings)]))


def _edited(cause: Cause, hint: str, **files: str) -> Typed:
    """Return what is typed where a hint is about cells."""
    return Typed(cause, hint, cause.line, {f"{name}.csv": text for name, text in files.items()})


TRAIN = "specnet run table.toml --no-report --out trained"
PREDICT = "specnet predict trained/model.safetensors new.csv"
EVALUATE = "specnet evaluate trained/model.safetensors new.csv"
NEW = "a,b\n1,2\n3,4\n"
GAPLESS = _table(a, b, kind)
STANDARDIZED = {
    **GAPLESS,
    "table.toml": TABLE["table.toml"].replace("[network]", '[network]\npreprocessing = ["standardize"]'),
}

NEW_SPEC = "specnet new new.toml --data rows.csv --target kind"

_RECORDS = [f'{{"a": {row}, "b": {b(row)}, "kind": "{kind(row)}"}}' for row in range(40)]

TYPED = {
    "assumed-notation": _set(
        Cause(NEW_SPEC, _table(a, b, lambda row: f"{row % 28 + 1:02}.04.{(40 + row) % 100:02}", kind)),
        """use --set 'data.columns.c={ type = "datetime", format = "%d.%m.%y" }'""",
        'data.columns.c={ type = "datetime", format = "%d.%m.%y" }',
    ),
    "column-kind": Typed(
        Cause(
            f"""{CLASSES} --set 'network.preprocessing=[{{columns=["a"],steps=["impute"]}}]'""",
            _table(lambda row: "uvw"[row % 3], b, kind),
        ),
        'give it a group of its own: { columns = ["a"], steps = ["one_hot"] }',
        f"""{CLASSES} --set 'network.preprocessing=[{{ columns = ["a"], steps = ["one_hot"] }}]'""",
    ),
    "compiler-failed": _set(CAUSES["compiler-failed"], 'set training.engine to "numpy"', "training.engine=numpy"),
    "constant": _set(
        Cause(CLASSES, _table(a, lambda row: 7, kind)), 'set data.columns.b = "ignore"', "data.columns.b=ignore"
    ),
    "data": Typed(Cause(f"{RUN} --jobs 4"), "use one job (--jobs 1)", f"{RUN} --jobs 1"),
    "duplicate-column": _set(
        Cause(CLASSES, _table(a, a, kind)), 'set data.columns.b = "ignore"', "data.columns.b=ignore"
    ),
    "export": Typed(
        Cause("specnet export moons/model.safetensors --to numpy -o numpy.py", before=RUN),
        "choose another file name",
        "specnet export moons/model.safetensors --to numpy -o moons.py",
    ),
    "formula": Typed(
        Cause(f"{PREDICT} -o new.out.csv", _table(a, b, lambda row: ("-x", "-y")[row % 2], new=NEW), before=TRAIN),
        "use --escape-formulas",
        f"{PREDICT} -o new.out.csv --escape-formulas",
    ),
    "gives-target-away": _set(
        Cause(CLASSES, _table(a, lambda row: 5 * (kind(row) == "x"), kind)),
        'set data.columns.b = "ignore"',
        "data.columns.b=ignore",
    ),
    "identifier": _set(
        Cause(CLASSES, _table(a, lambda row: row, kind)), 'set data.columns.b = "ignore"', "data.columns.b=ignore"
    ),
    "idle-jobs": _set(
        Cause(
            "specnet sweep swept.toml --out sweep --force --jobs 4 --no-report --set sweep.sampler=tpe "
            "--set sweep.parallel=1 --set sweep.trials=4",
            SWEPT,
        ),
        "set sweep.parallel = 8",
        "sweep.parallel=8",
    ),
    "ignored-column": _set(
        Cause(CLASSES, _table(a, b, lambda row: f"t{max(row, 8)}", kind)),
        'set data.columns.c = "category" or "ignore"',
        "data.columns.c=category",
    ),
    "interrupted": Typed(
        CAUSES["interrupted"],
        "to resume: specnet run moons.toml --out moons --resume",
        f"{RUN} --resume",
        has_passed=True,
    ),
    "json": Typed(
        Cause(
            f"{CLASSES} --set data.type=jsonl --set data.path=rows.jsonl",
            TABLE | {"rows.jsonl": "[" + ",\n".join(_RECORDS) + "]\n"},
        ),
        "write one object to a line, without [ ] around them and commas between them",
        f"{CLASSES} --set data.type=jsonl --set data.path=rows.jsonl",
        {"rows.jsonl": "".join(f"{each}\n" for each in _RECORDS)},
    ),
    "missing-cell": Typed(
        Cause(PREDICT, STANDARDIZED | {"new.csv": "a,b\n1,2\n,4\n"}, before=TRAIN),
        "use --strict to skip such rows",
        f"{PREDICT} --strict",
    ),
    "missing-header": _set(
        Cause(CLASSES, TABLE | {"rows.csv": "1,2,3\n4,5,6\n"}), "set data.header = false", "data.header=false"
    ),
    "missing-target": _set(
        Cause(CLASSES, _table(a, b, lambda row: kind(row) if row else "")),
        'set data.missing_target = "drop"',
        "data.missing_target=drop",
    ),
    "nested-value": _set(
        Cause(
            f"{CLASSES} --set data.type=jsonl --set data.path=rows.jsonl",
            TABLE
            | {"rows.jsonl": "".join(f'{{"a": [{row}], "b": {b(row)}, "kind": "{kind(row)}"}}\n' for row in range(40))},
        ),
        'set data.columns.a = "ignore"',
        "data.columns.a=ignore",
    ),
    "no-compiled-form": Typed(
        CAUSES["no-compiled-form"],
        'set training.engine to "numpy"',
        "specnet show pairs.toml --code --set training.engine=numpy",
    ),
    "no-compiler": _set(CAUSES["no-compiler"], 'set training.engine to "numpy"', "training.engine=numpy"),
    "no-features": _set(
        Cause(
            CLASSES, TABLE | {"rows.csv": "c,kind\n" + "".join(f"t{max(row, 8)},{kind(row)}\n" for row in range(40))}
        ),
        'set data.columns.c = "category" or "ignore"',
        "data.columns.c=category",
    ),
    "not-a-boolean": _set(
        Cause(
            f"{CLASSES} --set data.columns.c=boolean", _table(a, b, lambda row: ("yes", "no", "maybe")[row % 3], kind)
        ),
        'set data.columns.c = "category" or "ignore"',
        "data.columns.c=category",
    ),
    "not-a-datetime": _set(
        Cause(
            f"{CLASSES} --set data.columns.c=datetime", _table(a, b, lambda row: ("2024-01-31", "soon")[row % 2], kind)
        ),
        'set data.columns.c = "category" or "ignore"',
        "data.columns.c=category",
    ),
    "not-a-number": _set(
        Cause(f"{CLASSES} --set data.columns.c=numeric", _table(a, b, lambda row: ("1", "much")[row % 2], kind)),
        'set data.columns.c = "category" or "ignore"',
        "data.columns.c=category",
    ),
    "not-predicted": Typed(
        Cause(f"{PREDICT} --strict", GAPLESS | {"new.csv": "a,b\n1,2\n,4\n"}, before=TRAIN),
        "or predict without --strict",
        PREDICT,
    ),
    "other-notation": _set(
        Cause(NEW_SPEC, _table(a, b, lambda row: f"{row % 9 + 1}.{100 + row * 7 % 900}", kind)),
        """or --set 'data.columns.c={ type = "numeric", decimal = "," }'""",
        'data.columns.c={ type = "numeric", decimal = "," }',
    ),
    "override": Typed(
        Cause("specnet validate moons.toml --set network.layer_sizes.3=1"),
        "count entries from 0",
        "specnet validate moons.toml --set network.layer_sizes.2=1",
    ),
    "perhaps-missing": _set(
        Cause(NEW_SPEC, _table(a, b, lambda row: row * 7 % 31 if row % 9 else -999, kind)),
        """use --set 'data.columns.c={ type = "numeric", decimal = ".", missing_values = ["-999"] }'""",
        'data.columns.c={ type = "numeric", decimal = ".", missing_values = ["-999"] }',
    ),
    "random-split": _set(
        Cause(
            CLASSES,
            TABLE
            | {
                "rows.csv": "time,b,kind\n"
                + "".join(
                    f"2024-01-01T{row // 60:02}:{row % 60:02},{b(row)},{'xy'[row // 20 % 2]}\n" for row in range(400)
                )
            },
        ),
        'set data.split.time = "time"',
        'data.split.time="time"',
    ),
    "repeated-column": _set(
        Cause(CLASSES, TABLE | {"rows.csv": "a,a,kind\n1,2,x\n"}),
        "set data.header = false and set data.skip = 1",
        "data.header=false",
        "data.skip=1",
    ),
    "report": Typed(CAUSES["report"], "use specnet report moons to try again", "specnet report moons", has_passed=True),
    "rows-in-both": _edited(
        Cause(CLASSES, _table(lambda row: row % 20 * 0.37, lambda row: row % 20 * 1.7 % 1, lambda row: kind(row % 20))),
        "remove duplicate rows",
        rows=_table(lambda row: row * 0.37, lambda row: row * 1.7 % 1, kind)["rows.csv"],
    ),
    "single-rows": _set(CAUSES["single-rows"], "choose another target column", "data.target=b"),
    "taken": Typed(Cause(RUN, before=RUN), "or --force to overwrite it", f"{RUN} --force"),
    "target": Typed(
        Cause("specnet new new.toml --data rows.csv --target c", _table(a, b, lambda row: f"t{row}", kind)),
        "choose a target of numbers, true and false, or labels that repeat",
        "specnet new new.toml --data rows.csv --target kind",
    ),
    "too-many-layers": Typed(
        Cause("specnet validate moons.toml --limit layers=1"),
        "raise it with --limit layers=2",
        "specnet validate moons.toml --limit layers=2",
    ),
    "too-many-parameters": Typed(
        Cause("specnet validate moons.toml --limit parameters=10"),
        "raise it with --limit parameters=13",
        "specnet validate moons.toml --limit parameters=13",
    ),
    "too-much-memory": Typed(
        Cause("specnet validate moons.toml --limit memory=10"),
        "raise it with --limit memory=",
        "specnet validate moons.toml --limit memory=1000000",
    ),
    "training": _set(
        Cause(f"{RUN} --set training.optimizer.type=sgd --set training.optimizer.learning_rate=1e300"),
        "set training.optimizer.learning_rate = 0.01",
        "training.optimizer.learning_rate=0.01",
    ),
    "training-rows": Typed(
        Cause(
            "specnet evaluate trained/model.safetensors rows.csv",
            GAPLESS | {"new.csv": "a,b,kind\n99,98,x\n97,96,y\n"},
            before=TRAIN,
        ),
        "evaluate on rows that were not used for training",
        EVALUATE,
    ),
    "unknown-category": _edited(
        Cause(PREDICT, _table(lambda row: "uvw"[row % 3], b, kind, new="a,b\nu,2\nx,4\n"), before=TRAIN),
        "check the spelling",
        new="a,b\nu,2\nv,4\n",
    ),
    "unknown-column": Typed(
        Cause("specnet run table.toml --set data.target=kid", GAPLESS),
        'did you mean "kind"?',
        "specnet run table.toml --set data.target=kind",
    ),
    "unknown-label": _edited(
        Cause(EVALUATE, GAPLESS | {"new.csv": "a,b,kind\n1,2,z\n3,4,x\n"}, before=TRAIN),
        "expected x, y",
        new="a,b,kind\n1,2,y\n3,4,x\n",
    ),
    "unlisted-column": _set(
        Cause(f"""{CLASSES} --set 'data.columns={{a="numeric",kind="category"}}'""", GAPLESS),
        'set data.columns.b = "numeric" or "category" or "ignore"',
        "data.columns.b=numeric",
    ),
    "unscaled-target": _set(
        Cause(
            "specnet run table.toml --no-report --set training.loss=mean_squared_error",
            _table(a, b, lambda row: row * row % 37 * 100),
        ),
        'use network.target_preprocessing = ["standardize"]',
        'network.target_preprocessing=["standardize"]',
    ),
    "usage": Typed(Cause("specnet rnu moons.toml"), 'did you mean "run"?', "specnet run moons.toml"),
    "whole-classes": _set(
        Cause(NEW_SPEC, _table(a, b, lambda row: row % 6 + 3)),
        "use --set data.columns.kind=numeric",
        "data.columns.kind=numeric",
    ),
    "wildcard": Typed(
        Cause(f"{CLASSES} --set 'data.path=x[1].csv'", GAPLESS | {"x[1].csv": GAPLESS["rows.csv"]}),
        "rename it",
        CLASSES,
    ),
}
"""By codes of rows, files and commands."""
