"""Arrays that lie in a private file where they are large."""

import errno
import os

import numpy as np
import pytest

from specnet import FileError
from specnet.files import large
from tests.texts.mistakes import mistake


@pytest.fixture
def nothing_fits(monkeypatch, tmp_path):
    monkeypatch.setattr(large, "LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_it_is_an_array_like_any_other(dtype, nothing_fits):
    made = large.new_array((3, 5), dtype)
    assert type(made) is np.ndarray
    assert made.flags.c_contiguous
    assert made.flags.writeable
    made[...] = np.arange(15).reshape(3, 5)
    rows = made[1:]
    del made
    np.testing.assert_array_equal(rows, np.arange(5, 15).reshape(2, 5).astype(dtype))


def test_its_file_has_no_name(nothing_fits):
    made = large.new_array((100,))
    made[...] = 1.0
    assert os.listdir(nothing_fits) == []


def test_small_ones_are_in_memory():
    assert large.new_array((3, 2)).flags.owndata


def test_empty_ones_are_in_memory(nothing_fits):
    nothing_fits.rmdir()
    assert large.new_array((0, 2)).shape == (0, 2)


def test_a_full_device_is_an_error(nothing_fits, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.posix_fallocate", full)
    problem = mistake(FileError, lambda: large.new_array((3, 4)))
    assert problem.source == str(nothing_fits)
    assert problem.hint is not None
