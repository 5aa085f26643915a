"""Objects whose arrays processes share."""

import errno
from contextlib import closing
from multiprocessing import get_context

import numpy as np
import pytest

from specnet.files import large
from specnet.files.large import LEAST_APART, Shared

LARGE = LEAST_APART // 8


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
