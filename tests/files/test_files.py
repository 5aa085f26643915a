"""Files are written whole or not at all, and every failure is a FileError that says what is wrong."""

import errno
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from specnet import FileError
from specnet.files import TEMPORARY_PREFIX, open_file, read_file, write_file, write_files
from specnet.files.atomic import write_folder
from specnet.files.locks import try_lock
from tests.running.faults import files_of_at_most


def assert_refused(call, path, number):
    """Check that an error names a path, and which one of the operating system is behind it."""
    with pytest.raises(FileError) as error:
        call()
    (problem,) = error.value.diagnostics
    assert problem.source in (str(path), repr(str(path)))
    assert (error.value.__cause__.errno if isinstance(error.value.__cause__, OSError) else None) == number


@pytest.fixture
def old_file(tmp_path):
    """Return a file that a failing write must leave as it is."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    return path


def assert_untouched(path):
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_bytes_and_text_read_back_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    longest = "n" * 255
    write_file(tmp_path / "bytes", b"\x00\r\n\xff")
    for name in (str(tmp_path / "text"), "relative", longest):
        write_file(name, "old")
        write_file(name, "é\r\nb\n")
        assert read_file(name, 100) == "é\r\nb\n".encode()
    assert read_file(tmp_path / "bytes", 100) == b"\x00\r\n\xff"
    assert sorted(os.listdir(tmp_path)) == ["bytes", longest, "relative", "text"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere/file", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_folder_is_not_written_through_a_link(tmp_path):
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.write_text("mine")
    (out / "a").write_text("old")
    (out / "b").symlink_to(mine)
    with pytest.raises(FileError, match="symbolic link"):
        write_folder(out, {"a": "new", "b": "new"})
    assert [(path.name, path.read_text()) for path in sorted(out.iterdir())] == [("a", "old"), ("b", "mine")]


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_file_that_grows_beyond_the_limits_of_the_system_leaves_the_old_one(old_file, size):
    with files_of_at_most(size // 10):
        assert_refused(lambda: write_file(old_file, bytes(size)), old_file, errno.EFBIG)
    assert_untouched(old_file)


def failing(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("function", "call", "number"),
    [
        ("fsync", failing(errno.ENOSPC), errno.ENOSPC),
        ("replace", failing(errno.EROFS), errno.EROFS),
        ("fsync", lambda descriptor: os.pwrite(descriptor, b"X", 1), None),  # the content is another one on the disk
    ],
    ids=["full", "read-only", "damaged"],
)
def test_a_file_that_cannot_be_written_leaves_the_old_one(old_file, monkeypatch, function, call, number):
    monkeypatch.setattr(os, function, call)
    assert_refused(lambda: write_file(old_file, b"new"), old_file, number)
    assert_untouched(old_file)


def fail_at(monkeypatch, step, error):
    """Let one call that changes a folder fail, of all that follow, and return the list of those calls."""
    calls: list[str] = []

    def counted(name, function):
        def call(*arguments, **options):
            calls.append(name)
            if len(calls) == step:
                raise error
            return function(*arguments, **options)

        return call

    for name in ("fsync", "link", "rename", "replace"):
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    return calls


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("has_links", [True, False])
def test_several_files_are_all_written_or_none(error, removed, has_links, tmp_path, monkeypatch):
    """The first and the last file replace others, one is new, and any step of writing them fails."""
    new = {str(tmp_path / name): f"new {name}" for name in ("a", "b", "c", "d")}
    old = {name: f"old {name}" for name in ("a", "b", "d", "other")}
    if not has_links:
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    replaced = old | {name: f"new {name}" for name in ("a", "b", "c", "d")}
    step, calls = 0, [""]
    while len(calls) >= step:
        step += 1
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)
        for name, text in old.items():
            (tmp_path / name).write_text(text)
        refused = False
        with monkeypatch.context() as patch:
            calls = fail_at(patch, step, error)
            try:
                write_files(new, removed=new if removed else ())
            except FileError:
                refused = True
            except KeyboardInterrupt:
                pass
        found = {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)}
        assert found == old if refused else found in (old, replaced)
    assert found == replaced
    assert step > 8


def test_places_where_no_file_can_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe")
    for path, expected in {
        tmp_path: None,
        tmp_path / "absent" / "file": errno.ENOENT,
        tmp_path / "file" / "file": errno.ENOTDIR,
        tmp_path / ("n" * 256): errno.ENAMETOOLONG,
        tmp_path / "pipe": None,
        Path("/dev/null"): None,
    }.items():
        assert_refused(partial(write_file, path, b"new"), path, expected)
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


def test_what_cannot_be_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").write_bytes(b"old")
    for path, expected in {
        tmp_path: errno.EISDIR,
        tmp_path / "absent": errno.ENOENT,
        tmp_path / "absent" / "file": errno.ENOENT,
        tmp_path / "file" / "file": errno.ENOTDIR,
        tmp_path / "pipe": None,
        tmp_path / "circle": errno.ELOOP,
        Path("/dev/zero"): None,
        tmp_path / "null\0": None,
    }.items():
        assert_refused(partial(read_file, path, 100), path, expected)


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path, refused):
    path = tmp_path / "file"
    with open(path, "wb") as stream:
        stream.truncate(2**40)  # a file of zeros that takes no space on the disk
    with refused(FileError, at="file"):
        read_file(path, 1000)
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with refused(FileError, at="file"):
        read_file(path, 4)
    with refused(FileError, at="status"):  # whose size is not what it says
        read_file("/proc/self/status", 10_000)


def test_an_error_about_the_content_gets_the_path(old_file):
    def refuse():
        with open_file(old_file) as (stream, size):
            assert (stream.read(), size) == (b"old", 3)
            raise FileError("no model")

    with pytest.raises(FileError) as error:
        refuse()
    assert str(error.value) == f"{old_file}: error[file]: no model"


HOLDER = """
import sys
from specnet.files import write_file
def pieces():
    yield b"new"
    print("begun", flush=True)
    sys.stdin.read()
write_file(sys.argv[1], pieces())
"""
"""Is in the midst of writing a file until its input ends."""


def temporary_files(folder):
    return [name for name in os.listdir(folder) if name.startswith(TEMPORARY_PREFIX)]


def test_what_a_living_process_writes_stays_and_what_a_dead_one_has_left_goes(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "other")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "begun\n"
            write_file(tmp_path / "file", b"new")
            assert len(temporary_files(tmp_path)) == 1
        finally:
            holder.kill()
    assert len(temporary_files(tmp_path)) == 1
    write_file(tmp_path / "file", b"newer")
    assert temporary_files(tmp_path) == []
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_is_taken_for_a_dead_ones_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lost = []

    def lock_too_late(descriptor):
        if not lost:
            lost.extend(temporary_files(tmp_path))
            os.unlink(tmp_path / lost[0])
        return try_lock(descriptor)

    monkeypatch.setattr("specnet.files.atomic.try_lock", lock_too_late)
    write_file(tmp_path / "file", b"new")
    assert lost
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]
