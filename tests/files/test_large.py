"""Arrays that lie in a private file where they are large, and objects whose arrays processes share."""

import errno
import os
from contextlib import closing
from multiprocessing import get_context

import numpy as np
import pytest

from specnet import FileError
from specnet.files import large
from specnet.files.large import MIN_MAPPED, Shared
from tests.running.faults import files_of_at_most
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


def test_a_full_device_is_an_error(nothing_fits):
    with files_of_at_most(50):
        problem = mistake(FileError, lambda: large.new_array((3, 4)))
    assert problem.source == str(nothing_fits)
    assert problem.hint is not None


# -------------------------------------------------------------------------------- objects whose arrays processes share

LARGE = MIN_MAPPED // 8


def thing():
    return {
        "rows": np.arange(2.0 * LARGE).reshape(LARGE, 2),
        "columns": np.asfortranarray(np.arange(3 * LARGE).reshape(LARGE, 3)),
        "every other": np.arange(4.0 * LARGE)[::2],
        "small": np.arange(3),
        "texts": np.array(["a", "b"]),
        "empty": np.empty((0, 4)),
        "others": {"a": [1, "b"]},
    }


def assert_equal(found):
    for name, expected in thing().items():
        np.testing.assert_equal(found[name], expected)
        if isinstance(expected, np.ndarray):
            assert found[name].dtype == expected.dtype
            assert found[name].flags.writeable
            # One that has gaps is pickled as a copy without them.
            assert found[name].flags.f_contiguous == expected.flags.f_contiguous or name == "every other"


def test_an_object_comes_back_as_it_was():
    with closing(Shared.of(thing())) as both:
        assert_equal(both.value())


def test_large_arrays_are_mapped_and_small_ones_are_not():
    with closing(Shared.of(thing())) as both:
        found = both.value()
    assert not found["rows"].flags.owndata
    assert not found["columns"].flags.owndata
    assert found["rows"].ctypes.data % 64 == found["columns"].ctypes.data % 64 == 0
    assert len(both._extents) == 3
    assert both._extents[-1][1] < thing()["every other"].nbytes + 10_000


def test_what_is_written_into_one_is_not_in_the_other():
    with closing(Shared.of(thing())) as both:
        one, other = both.value(), both.value()
        one["rows"][:] = -1
        assert_equal(other)
        assert_equal(both.value())


@pytest.mark.parametrize("name", ["write_all", "TemporaryFile"])
def test_without_room_it_is_copied(name, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(large, name, full)
    with closing(Shared.of(thing())) as both:
        assert_equal(both.value())


def check(both):
    assert_equal(both.value())


@pytest.mark.slow
def test_another_process_has_it():
    with closing(Shared.of(thing())) as both:
        process = get_context("spawn").Process(target=check, args=(both,))
        process.start()
        process.join(60)
    assert process.exitcode == 0
