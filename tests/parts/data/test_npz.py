"""Rows from NumPy archives: plain arrays, and nothing is unpickled."""

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet import DataError
from tests.cases.reading import load
from tests.texts.pinned import Refused


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members:
            target.writestr(name, content)
    return path


def npy(array, **fields):
    """Return the bytes of a .npy file, with some of its header's fields replaced."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array))
    content = stream.getvalue()
    for old, new in fields.items():
        content = content.replace(old.encode(), new.encode().ljust(len(old)))
    return content


ROWS = npy(np.eye(3))
TARGET = npy(np.arange(3))


def arrays_of(path):
    table = load(path)
    return table.X, table.y, table.sample_weight


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])),
        (np.asfortranarray(np.arange(6, dtype=">f4").reshape(3, 2)), np.array(["a", "ü", "c"])),
        (np.zeros((1, 1), bool), np.array([[1]], np.uint8)),
        (np.zeros((0, 2)), np.array([], "U3")),
    ],
)
def test_arrays_come_back(tmp_path, save, X, y):
    save(tmp_path / "rows.npz", X=X, y=y, other=np.array([{}], object))
    X_read, y_read, weights = arrays_of(tmp_path / "rows.npz")
    np.testing.assert_array_equal(X_read, X)
    np.testing.assert_array_equal(y_read, y)
    assert weights is None
    save(tmp_path / "rows.npz", X=X, y=y, sample_weight=np.ones(3, np.float32))
    np.testing.assert_array_equal(arrays_of(tmp_path / "rows.npz")[2], np.ones(3))


class Dangerous:
    def __reduce__(self):
        return Path.touch, (Path("pickled"),)


EYE = np.eye(3)
ARRAYS = {
    "empty": b"",
    "text": b"hello world, this is no array",
    "short": ROWS[:-8],
    "long": ROWS + b"more",
    "cut header": ROWS[:20],
    "one huge axis": npy(EYE, **{"(3, 3), }    ": "(10**9,), }"}),
    "huge axes": npy(EYE, **{"(3, 3), }    ": "(999999,9999),}"[:13]}),
    "a negative axis": npy(EYE, **{"(3, 3)": "(3,-3)"}),
    "objects": npy(EYE, **{"'<f8'": "'|O8'"}),
    "no type": npy(EYE, **{"'<f8'": "'zzz'"}),
    **{kind: npy(np.zeros(3, kind)) for kind in ("c16", "S4", "M8[s]")},
    "fields": npy(np.zeros(3, [("a", "f8")])),
    "another version": ROWS.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x03"),
    "brackets": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
}
MEMBERS = {
    "no X": [("y.npy", TARGET)],
    "no y": [("X.npy", ROWS)],
    "nothing": [],
    "X twice": [("X.npy", ROWS), ("y.npy", TARGET), ("X.npy", ROWS)],
    **{name: [("X.npy", array), ("y.npy", TARGET)] for name, array in ARRAYS.items()},
}


@pytest.mark.parametrize("name", MEMBERS)
def test_archives_that_are_refused(tmp_path, name, refused: Refused):
    with pytest.warns(UserWarning, match="Duplicate name") if name == "X twice" else contextlib.nullcontext():
        path = archive(tmp_path / "rows.npz", MEMBERS[name])
    with refused(DataError, at="rows.npz") as caught:
        arrays_of(path)
    assert {problem.source for problem in caught.value.diagnostics} == {str(path)}


def test_nothing_is_unpickled(tmp_path, monkeypatch, refused: Refused):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "rows.npz", X=np.array([[Dangerous()]], object), y=np.zeros(1))
    with refused(DataError, at="rows.npz"):
        arrays_of(tmp_path / "rows.npz")
    (tmp_path / "rows.npz").write_bytes(np.array([Dangerous()], object).dumps())
    with refused(DataError, at="rows.npz"):
        arrays_of(tmp_path / "rows.npz")
    assert not (tmp_path / "pickled").exists()
    (tmp_path / "rows.npz").write_bytes(ROWS)  # a single array
    with refused(DataError, at="rows.npz"):
        arrays_of(tmp_path / "rows.npz")


def test_archives_as_numpy_does_not_write_them_are_refused(tmp_path, refused: Refused):
    path = archive(tmp_path / "rows.npz", [("X.npy", ROWS), ("y.npy", TARGET)], zipfile.ZIP_LZMA)
    with refused(DataError, at="rows.npz"):
        arrays_of(path)
    path = archive(path, [("X.npy", ROWS), ("y.npy", TARGET)])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with refused(DataError, at="rows.npz"):
        arrays_of(path)


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(tmp_path, refused: Refused):
    path = archive(tmp_path / "rows.npz", [("X.npy", ROWS), ("y.npy", TARGET)])
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02") + 24
    path.write_bytes(content[:at] + (2**32 - 2).to_bytes(4, "little") + content[at + 4 :])
    with refused(DataError, at="rows.npz"):
        arrays_of(path)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_of_any_kind_is_an_error_of_ours_or_harmless(tmp_path, data):
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, X=np.arange(40.0).reshape(20, 2), y=np.arange(20))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    with contextlib.suppress(DataError):
        arrays_of(path)
