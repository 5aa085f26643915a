"""Training rows in the file of a model: on request, the same as in memory, and refused if they are damaged."""

from __future__ import annotations

import json
import random
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from specnet import DataError, FileError, Model, SpecnetError, SpecnetWarning, load_model
from specnet.model.background import background_of
from tests.model.forged import change_tensors, frame, of_frame
from tests.model.models import make_model

Tensors = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Model:
    groups = [
        {"columns": ["area"], "steps": ["impute"]},
        {"columns": ["city", "street"], "steps": ["ordinal"]},
        {"columns": ["sold"], "steps": ["calendar", "impute"]},
        {"columns": ["garden"], "steps": []},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecnetWarning)
        return of_frame("price", preprocessing=groups, target_preprocessing=["standardize"])


@pytest.fixture(scope="module")
def content(model: Model) -> bytes:
    return model.to_bytes(with_rows=True)


def changed(content: bytes, change: Callable[[Tensors], object], needs: list[str] | None = None) -> bytes:
    """Return the bytes of a model with changed tensors, whose names lack the prefix; optionally with other needs."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["specnet"])
    if needs is not None:
        metadata["needs"] = needs
    found, prefix = load(content), "background.rows."
    rows = {name.removeprefix(prefix): found.pop(name).copy() for name in [*found] if name.startswith(prefix)}
    change(rows)
    tensors = found | {prefix + name: tensor for name, tensor in rows.items()}
    return save(tensors, {"specnet": json.dumps(metadata, ensure_ascii=False)})


def test_contributions_from_a_file_are_those_in_memory(model: Model, content: bytes, tmp_path: Path) -> None:
    model.save(tmp_path / "model", with_rows=True)
    assert (tmp_path / "model").read_bytes() == content
    loaded, rows = load_model(tmp_path / "model"), frame().drop(columns=["price", "kind"])[:2]
    assert loaded.to_bytes(with_rows=True) == content
    first, second = model.contributions(rows), loaded.contributions(rows)
    np.testing.assert_array_equal(second.values, first.values)
    np.testing.assert_array_equal(second.base, first.base)
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))


def test_a_file_has_rows_only_on_request(model: Model, content: bytes, tmp_path: Path) -> None:
    model.save(tmp_path / "plain")
    plain, background = (tmp_path / "plain").read_bytes(), model.background
    model.background = None
    assert model.to_bytes() == plain
    model.background = background
    assert b"background" not in plain
    (tmp_path / "rows").write_bytes(content)
    assert load_model(tmp_path / "rows").to_bytes() == plain  # not even if it was read with rows
    with pytest.raises(DataError, match="needs training rows, and the model has none"):
        load_model(tmp_path / "plain").save(tmp_path / "other", with_rows=True)
    assert not (tmp_path / "other").exists()


def test_rows_of_plain_numbers_and_of_a_team(tmp_path: Path) -> None:
    X = np.array([[1.0, 2, 3], [4, 5, 6]])
    numbers = make_model("value")
    numbers.background = background_of(X, (), np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    team = Model.joined([make_model("value"), make_model("value")], [1, 2])
    team.background = numbers.background
    for each in (numbers, team):
        each.save(tmp_path / "model", with_rows=True)
        loaded = load_model(tmp_path / "model")
        assert loaded.background is not None
        assert loaded.background.weights.tolist() == [0.25, 0.75]
        np.testing.assert_array_equal(loaded.contributions(X).values, each.contributions(X).values)


def put(**tensors: Any) -> Callable[[Tensors], object]:
    return lambda rows: rows.update({name.replace("_", "."): np.asarray(value) for name, value in tensors.items()})


def repeated(rows: Tensors) -> None:
    for name in ("cells", "missing", "weights"):
        rows[name] = np.concatenate([rows[name]] * 2) / (2 if name == "weights" else 1)
    rows["missing"] = rows["missing"].astype(bool)


def many_long(rows: Tensors) -> None:
    count = len(rows["weights"])
    rows["texts.1.bytes"] = np.full(2**19, 97, np.uint8)
    rows["texts.1.offsets"] = np.array([0] * count + [2**19])


FORGED: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "no cells": (lambda rows: rows.pop("cells"), "'background.rows.cells' is missing"),
    "no weights": (lambda rows: rows.pop("weights"), "'background.rows.weights' is missing"),
    "no texts": (lambda rows: rows.pop("texts.1.offsets"), "'background.rows.texts.1.offsets' is missing"),
    "shape": (lambda rows: rows.update(cells=rows["cells"][:, :-1].copy()), r"needs float64 of shape \(60, 5\)"),
    "rows": (lambda rows: rows.update(missing=rows["missing"][:-1].copy()), r"needs bool of shape \(60, 5\)"),
    "dtype": (lambda rows: rows.update(cells=rows["cells"].astype(np.float32)), "is float32 .* needs float64"),
    "offsets' dtype": (put(texts_1_offsets=np.zeros(2)), "is float64 .* needs int64"),
    "too many rows": (repeated, "has 120 background rows; at most 100 are allowed"),
    "too many texts": (put(texts_1_offsets=np.zeros(99, np.int64)), r"needs int64 of shape \(61,\)"),
    "texts of numbers": (
        put(texts_0_offsets=np.zeros(2, np.int64)),
        "unknown tensor .*rows.texts.0.offsets",
    ),
    "unknown": (put(more=np.zeros(2)), "unknown tensor .*rows.more"),
    "not finite": (lambda rows: rows["cells"].__setitem__((0, 0), np.nan), "numbers that are not finite"),
    "no such text": (lambda rows: rows["cells"].__setitem__((0, 1), 60), "cell without a text in column 2"),
    "half a text": (lambda rows: rows["cells"].__setitem__((0, 1), 0.5), "cell without a text in column 2"),
    "offsets": (lambda rows: rows["texts.1.offsets"].__setitem__(1, 9999), "column 2 do not divide their bytes"),
    "UTF-8": (lambda rows: rows["texts.1.bytes"].__setitem__(0, 255), "column 2 is not valid UTF-8"),
    "long texts": (many_long, "texts of the background rows in column 2 are too long"),
    "negative weight": (lambda rows: rows["weights"].__setitem__(0, -1), "must be positive, with a sum of 1"),
    "weights": (lambda rows: rows["weights"].__imul__(2), "must be positive, with a sum of 1"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_rows_are_one_clear_error(name: str, content: bytes, tmp_path: Path) -> None:
    change, message = FORGED[name]
    (tmp_path / "forged").write_bytes(changed(content, change))
    with pytest.raises(FileError, match=message) as error:
        load_model(tmp_path / "forged")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(tmp_path / "forged")


def test_the_extension_and_its_tensors_need_each_other(model: Model, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(changed(content, lambda rows: None, needs=[]))
    with pytest.raises(FileError, match=r"unknown tensor .*background"):
        load_model(tmp_path / "one")
    (tmp_path / "other").write_bytes(changed(model.to_bytes(), lambda rows: None, needs=["background"]))
    with pytest.raises(FileError, match=r"'background\.rows\.weights' is missing"):
        load_model(tmp_path / "other")


def test_random_forgeries_of_rows_are_refused_or_used(content: bytes, tmp_path: Path) -> None:
    generator, found, rows = random.Random(5), Counter[str](), frame().drop(columns=["price", "kind"])[:1]
    for _ in range(40):
        (tmp_path / "forged").write_bytes(changed(content, lambda tensors: change_tensors(tensors, generator)))
        try:
            loaded = load_model(tmp_path / "forged")
        except FileError:
            found["refused"] += 1
            continue
        assert load_model(tmp_path / "forged").to_bytes(with_rows=True) == loaded.to_bytes(with_rows=True)
        try:
            loaded.contributions(rows)
            found["used"] += 1
        except SpecnetError:
            found["rows refused"] += 1
    assert found["refused"] > found["used"] > 0
