"""The cache gives back only what was put there, and is not needed."""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import libraries, library_cache
from specnet.compiler.native.toolchain.libraries import BuildError
from tests.compiler.native.toolchain.conftest import (
    CHILD,
    OTHER,
    TEXT,
    Workplace,
    expect_no_cache,
    library,
    replace_content,
)
from tests.exporting.tools import needs_compiler

pytestmark = pytest.mark.slow


@needs_compiler
@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "planted", "writable", "link", "pipe", "foreign"])
def test_an_entry_that_is_not_what_was_written_is_built_anew(place: Workplace, damage: str):
    place.install('exec real "$@"')
    assert place.answer() == 42
    (entry,) = place.entries
    content = entry.read_bytes()
    if damage == "cut":
        replace_content(entry, content[:-100])
    elif damage == "empty":
        replace_content(entry, b"")
    elif damage == "changed":
        middle = len(content) // 2
        replace_content(entry, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "planted":  # it would load, and answer otherwise
        library(OTHER)
        (other,) = set(place.entries) - {entry}
        other.replace(entry)
    elif damage == "writable":
        entry.chmod(0o622)
    elif damage == "link":
        entry.rename(place.programs / "library.so")
        entry.symlink_to(place.programs / "library.so")
    elif damage == "pipe":
        entry.unlink()
        os.mkfifo(entry)
    elif os.geteuid():
        pytest.skip("only root can give files away")
    else:
        os.chown(entry, 12345, -1)
    before = place.runs
    assert place.answer() == 42
    assert place.runs == before + 1
    (built,) = place.entries
    assert built.read_bytes() == content
    assert built.stat().st_uid == os.geteuid()
    assert not built.is_symlink()
    assert place.answer() == 42
    assert place.runs == before + 1


@needs_compiler
def test_an_entry_that_cannot_be_loaded_is_removed(place: Workplace):
    place.install('exec real "$@"')
    assert place.answer() == 42
    (entry,) = place.entries
    digest = hashlib.sha256(b"no library").hexdigest()
    (entry.parent / f"{entry.name[:64]}-{digest}.so").write_bytes(b"no library")
    entry.unlink()
    assert place.answer() == 42
    assert place.entries == [entry]
    assert place.runs == 2


@needs_compiler
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_not_used(place: Workplace, mode: int):
    place.install('exec real "$@"')
    assert place.answer() == 42
    place.cache.chmod(mode)
    entries = place.entries
    expect_no_cache(place)
    assert place.answer(OTHER) == 17
    assert place.runs == 3
    assert place.entries == entries


@needs_compiler
def test_a_folder_of_another_user_is_not_used(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    library(TEXT)
    entries = place.entries
    place.forget()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    place.install('exec real "$@"')
    expect_no_cache(place)
    library(OTHER)
    assert place.runs == 2
    assert place.entries == entries


@needs_compiler
@pytest.mark.parametrize("end", ["", "/"])
def test_a_symbolic_link_is_not_used(place: Workplace, monkeypatch: pytest.MonkeyPatch, end: str):
    real = place.programs / "real"
    real.mkdir(mode=0o700)
    place.cache.symlink_to(real)
    monkeypatch.setenv("SPECNET_CACHE", f"{place.cache}{end}")
    expect_no_cache(place)
    assert not any(real.iterdir())


@needs_compiler
def test_without_a_cache_a_process_compiles_once(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    place.install('exec real "$@"')
    monkeypatch.setenv("SPECNET_CACHE", "/dev/null/cache")
    monkeypatch.setattr(libraries, "_loaded", {})
    for runs in (1, 1):
        libraries._loaded.clear()
        assert library(TEXT).answer() == 42
        assert place.runs == runs


@needs_compiler
def test_a_cache_that_cannot_be_made_is_not_needed(place: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "cache", tmp_path / "file", Path("/dev/null/cache"), Path("/proc/cache")):
        monkeypatch.setenv("SPECNET_CACHE", str(folder))
        expect_no_cache(place)
        assert not folder.is_dir()


@needs_compiler
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no folder that even root may not write")
@pytest.mark.skipif(os.geteuid() != 0, reason="/proc belongs to root")
def test_a_trusted_folder_that_cannot_be_written(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SPECNET_CACHE", "/proc")
    assert library_cache.cache_folder() == "/proc"
    expect_no_cache(place)


@pytest.mark.parametrize(("platform", "name"), [("darwin", "Library/Caches"), ("linux", ".cache")])
def test_the_folder_that_a_system_has_for_caches(
    platform: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for variable in ("SPECNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert library_cache.cache_folder() == str(tmp_path.resolve() / name / "specnet")


@needs_compiler
@pytest.mark.parametrize("name", ["tempfile.mkstemp", "os.replace"])
def test_a_full_disk(place: Workplace, monkeypatch: pytest.MonkeyPatch, name: str):
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(name, full)
    expect_no_cache(place)
    assert place.entries == []


def test_without_a_place_for_temporary_files(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    place.install("exit 1")
    monkeypatch.setattr(tempfile, "tempdir", str(place.temporary / "missing"))
    with pytest.raises(BuildError, match=r"cannot be written or loaded: .*missing"):
        library(TEXT)


@needs_compiler
@pytest.mark.parametrize("where", ["cache", "temporary"])
def test_a_file_system_without_execution(place: Workplace, monkeypatch: pytest.MonkeyPatch, where: str):
    load = libraries.LoadedLibrary

    def refused(path: str):
        if path.startswith(str(getattr(place, where))):
            raise OSError(errno.EPERM, "failed to map segment from shared object")
        return load(path)

    monkeypatch.setattr(libraries, "LoadedLibrary", refused)
    expect_no_cache(place)
    assert place.answer() == 42
    assert len(place.entries) == 1


@needs_compiler
def test_an_entry_that_is_cut_off_while_it_is_in_use(place: Workplace):
    text = "int numbers[100000] = {1}; int answer(void) { return 41 + numbers[0]; }"
    library(text)
    (entry,) = place.entries
    code = f"import os\n{CHILD}\nos.truncate({str(entry)!r}, 0)\nprint(library(sys.argv[1], ()).answer())"
    run = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True)
    assert (run.returncode, run.stdout.split()) == (0, ["42", "42"])


@needs_compiler
@pytest.mark.parametrize(("mode", "is_used"), [(0o755, True), (0o1777, True), (0o777, False), (0o775, False)])
def test_folders_in_which_others_could_replace_the_cache(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, mode: int, is_used: bool
):
    parent = place.programs / "parent"
    monkeypatch.setenv("SPECNET_CACHE", str(parent / "below" / "cache"))
    library(TEXT)
    parent.chmod(mode)
    expect_no_cache(place)
    library(OTHER)
    assert len(list((parent / "below" / "cache").iterdir())) == 1 + is_used


@needs_compiler
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_below_that_of_another_user_is_not_used(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    parent = place.programs / "parent"
    parent.mkdir()
    os.chown(parent, 12345, -1)
    monkeypatch.setenv("SPECNET_CACHE", str(parent / "cache"))
    expect_no_cache(place)
    assert not any((parent / "cache").iterdir())


@pytest.fixture
def home(place: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("SPECNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("HOME", str(folder))
    return folder


@needs_compiler
def test_which_folder_is_the_cache(place: Workplace, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    usual = home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "specnet"

    def places() -> set[Path]:
        place.forget()
        library(TEXT)
        return {path.parent for path in tmp_path.rglob("*.so")}

    old = os.umask(0)
    try:
        assert places() == {usual}
    finally:
        os.umask(old)
    assert stat.S_IMODE(usual.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert places() == {usual}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert places() == {usual, tmp_path / "xdg" / "specnet"}
    monkeypatch.setenv("SPECNET_CACHE", str(tmp_path / "own" / "cache"))
    assert places() == {usual, tmp_path / "xdg" / "specnet", tmp_path / "own" / "cache"}
    shutil.rmtree(usual)
    monkeypatch.setenv("SPECNET_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert usual in places()


@needs_compiler
@pytest.mark.parametrize("missing", ["home", "entry"])
def test_a_missing_home_is_not_made(place: Workplace, home: Path, monkeypatch: pytest.MonkeyPatch, missing: str):
    if missing == "entry":  # a user without an entry in the system's list: "~" stays as it is
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
        monkeypatch.chdir(place.programs)
    expect_no_cache(place)
    assert not home.exists()
    assert not any(place.programs.iterdir())


@needs_compiler
def test_at_most_200_entries_of_which_the_least_recently_used_go(place: Workplace):
    library(TEXT)
    (used,) = place.entries
    os.utime(used, (1, 1))
    names = [f"{number:064x}-{number:064x}.so" for number in range(200)]
    for number, name in enumerate(names):
        (place.cache / name).touch()
        os.utime(place.cache / name, (1000 + number, 1000 + number))
    others = {"notes.txt", "library.so", f"{1:064x}.so", ".specnet-x"}  # whoever chose a folder that holds more
    for name in others:
        (place.cache / name).touch()
        os.utime(place.cache / name, (1, 1))
    assert place.answer() == 42  # from the cache: it is the last used one now
    assert {path.name for path in place.cache.iterdir()} == {used.name, *names, *others}
    library(OTHER)
    left = {path.name for path in place.cache.iterdir()} - others
    assert len(left) == 200
    assert used.name in left
    assert left & set(names) == set(names[2:])
    assert others <= {path.name for path in place.cache.iterdir()}
