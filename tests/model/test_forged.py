"""A sample of what ``python -m tests.model.forged`` goes through."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from specnet import FileError, load_model
from tests.model.forged import forgery, header_of, models, verdict, with_flipped_bit

FORGED, BITS = 30, 75


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return models(tmp_path_factory.mktemp("models"))


def test_forged_files_are_refused_or_used(made: dict, tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for content, rows in made.values():
        assert verdict(content, rows, tmp_path) == "used"
        generator = random.Random(7)
        found.update(verdict(forgery(content, generator), rows, tmp_path) for _ in range(FORGED))
    assert found["refused"] > found["used"] > 0
    assert found.total() == FORGED * len(made)


def test_flipped_bits_of_headers_are_refused_or_used(made: dict, tmp_path: Path) -> None:
    for content, rows in made.values():
        for bit in random.Random(3).sample(range(8 * (header_of(content) - 8)), BITS):
            verdict(with_flipped_bit(content, bit), rows, tmp_path)


@pytest.mark.parametrize("kind", ["table", "frame", "team"])
def test_any_bit_of_a_column_s_name_changed_is_one_clear_error(kind: str, made: dict, tmp_path: Path) -> None:
    content, rows = made[kind]
    columns, path = b'\\"columns\\":[\\"area\\"', tmp_path / "model.safetensors"
    start = content.index(columns) + len(columns) - 6
    assert content[start : start + 4] == b"area"
    for bit in range(8 * (start - 8), 8 * (start + 4 - 8)):
        changed = with_flipped_bit(content, bit)
        assert verdict(changed, rows, tmp_path) == "refused"
    path.write_bytes(with_flipped_bit(content, 8 * (start - 8)))  # "area" is "`rea"
    with pytest.raises(FileError) as error:
        load_model(path)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(path)
    assert 'no input column "`rea"' in diagnostic.message
