"""What no export says is refused with a reason, and then nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import DataError, Model, SpecClassifier, SpecnetError, export
from specnet.data import RawColumns
from specnet.parts.data import Column
from specnet.parts.preprocessing import OneHot
from specnet.spec import ColumnGroup
from tests.exporting.models import built, dense, ensemble_of, labelled
from tests.exporting.tables import model_of
from tests.exporting.test_export import plugin_model
from tests.exporting.tools import SUFFIXES
from tests.model.models import make_model
from tests.texts.pinned import Refused

VALUE = partial(make_model, "value")


def network(*layers: dict[str, Any], outputs: int = 1, **fields: Any) -> Callable[[], Model]:
    return partial(built, *layers, input_size=3, output_size=outputs, **fields)


def category(text: str) -> Model:
    kinds = (Column("a", "category", np.array(sorted([text, "b"]))),)
    rows = RawColumns(np.arange(20.0)[:, None] % 2, kinds)
    return model_of([ColumnGroup(columns=("a",), steps=(OneHot(),))], rows, "float64", "mse")


def infinite() -> Model:
    model = make_model("value")
    model.theta[0] = np.inf
    return model


MIXED = [dense(3), {"type": "scale"}, dense(3, activation={"type": "relu", "parametric": True}), dense(1)]
REFUSED: dict[str, tuple[str, str, Callable[[], Any]]] = {
    **{f"rows for {name}": (name, f"m{SUFFIXES[name]}", partial(plugin_model, "across")) for name in SUFFIXES},
    "an unknown target": ("cobol", "m", VALUE),
    "an estimator": ("numpy", "m.py", SpecClassifier),
    "a network": ("numpy", "m.py", lambda: VALUE().network),
    "nothing": ("numpy", "m.py", lambda: None),
    "infinite": ("numpy", "m.py", infinite),
    **{f"the name {name}": ("c", name, VALUE) for name in ("math.c", "stdio.c", "float.c", "Time.c", "threads.c")},
    **{f"the name {name!r}": ("c", name, VALUE) for name in ('a"b.c', "a\\b.c", "a\nb.c")},
    **{f"the name {name}": ("numpy", name, VALUE) for name in ("numpy.py", "csv.py", "math.py", "pathlib.py")},
    "a header": ("c", "m.h", VALUE),
    "an archive": ("numpy", "m.npz", VALUE),
    "no ending": ("onnx", "m", VALUE),
    "types": ("javascript", "m.ts", VALUE),
    "a label with a null": ("c", "m.c", lambda: labelled(["", "a\0b"])),
    "a long label": ("c", "m.c", lambda: labelled(["", "x" * 5000])),
    "a category with a null": ("c", "m.c", lambda: category("a\0b")),
    "a long category": ("c", "m.c", lambda: category("x" * 4096)),
    "a large integer": ("javascript", "m.js", lambda: labelled([0, 2**53 + 1])),
    "hidden": ("sklearn", "m.skops", network(dense(4, activation="gelu"), dense(4, activation="relu"), dense(1))),
    "output": ("sklearn", "m.skops", network(dense(4, activation="tanh"), dense(1, activation="relu"))),
    "two classes": ("sklearn", "m.skops", network(dense(2), loss="categorical_crossentropy", outputs=2)),
    "layers": ("sklearn", "m.skops", network(*MIXED)),
    "an ensemble": ("sklearn", "m.skops", lambda: ensemble_of(make_model("classes"))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said(name: str, tmp_path: Path, refused: Refused):
    target, file, make = REFUSED[name]
    model = make()
    with refused(SpecnetError if isinstance(model, Model) else DataError):
        export(model, target, tmp_path / file)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["numpy", "javascript"])
def test_targets_without_a_float32_form_say_so(target: str, tmp_path: Path, refused: Refused):
    path = tmp_path / f"m{SUFFIXES[target]}"
    with refused(SpecnetError):
        export(make_model("value"), target, path, float32=True)
    export(make_model("value", "float32"), target, path, float32=True)


@pytest.mark.parametrize("make", [lambda: labelled([-(2**53), 2**53]), lambda: category("a\0b")])
def test_what_javascript_says_all_the_same(make: Callable[[], Model], tmp_path: Path):
    export(make(), "javascript", tmp_path / "m.js")
