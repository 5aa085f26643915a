"""The cache gives back only what was put there, and is not needed."""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import libraries
from tests.compiler.native.toolchain.conftest import CHILD, OTHER, TEXT, Workbench, library

pytestmark = pytest.mark.slow


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-100],
    "empty": lambda content: b"",
    "changed": changed,
}


@pytest.mark.parametrize("damage", [*CONTENTS, "planted", "writable", "foreign"])
def test_an_entry_that_is_not_what_was_written_is_built_anew(compiling: Workbench, damage: str):
    assert compiling.answer() == 42
    (entry,) = compiling.entries
    content = entry.read_bytes()
    if damage in CONTENTS:  # as another process would see it, not the library that this one has loaded from it
        new = entry.with_name("new")
        new.write_bytes(CONTENTS[damage](content))
        new.replace(entry)
        entry.chmod(0o600)
    elif damage == "planted":  # it would load, and answer otherwise
        library(OTHER)
        (other,) = set(compiling.entries) - {entry}
        other.replace(entry)
    elif damage == "writable":
        entry.chmod(0o622)
    elif os.geteuid():
        pytest.skip("only root can give files away")
    else:
        os.chown(entry, 12345, -1)
    before = compiling.runs
    for _ in range(2):
        assert compiling.answer() == 42
        assert compiling.runs == before + 1
    (built,) = compiling.entries
    assert built.read_bytes() == content
    assert built.stat().st_uid == os.geteuid()


def test_an_entry_that_cannot_be_loaded_is_removed(compiling: Workbench):
    assert compiling.answer() == 42
    (entry,) = compiling.entries
    digest = hashlib.sha256(b"no library").hexdigest()
    (entry.parent / f"{entry.name[:64]}-{digest}.so").write_bytes(b"no library")
    entry.unlink()
    assert compiling.answer() == 42
    assert compiling.entries == [entry]
    assert compiling.runs == 2


def of_another_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)


def exchanged(folder: Path) -> None:
    """As another user who may write the folder above does it: with a copy of what it holds."""
    if os.geteuid():
        pytest.skip("only root can give folders away")
    folder.parent.chmod(0o777)
    shutil.copytree(folder.rename(folder.with_name("before")), folder)
    os.chown(folder, 12345, -1)


def linked(folder: Path) -> None:
    folder.symlink_to(folder.rename(folder.parent / "behind"))


ARRANGED: dict[str, tuple[Callable[..., object], bool]] = {
    **{f"{mode:o}": (lambda cache, _, mode=mode: cache.chmod(mode), False) for mode in (0o777, 0o770, 0o702)},
    "777 above": (lambda cache, _: cache.parent.chmod(0o777), True),
    "of another user": (of_another_user, False),
    "exchanged by another user": (lambda cache, _: exchanged(cache), False),
    "a link": (lambda cache, _: linked(cache), False),
    "a link, with a slash": (
        lambda cache, monkeypatch: linked(cache) or monkeypatch.setenv("SPECNET_CACHE", f"{cache}/"),
        False,
    ),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_a_folder_that_others_could_change_is_not_used(name: str, compiling: Workbench, monkeypatch):
    arrange, is_used = ARRANGED[name]
    assert compiling.answer() == 42
    arrange(compiling.cache, monkeypatch)
    entries = compiling.entries
    assert len(entries) == 1
    if not is_used:
        compiling.expect_no_cache()
    before = compiling.runs
    assert compiling.answer(OTHER) == 17
    assert compiling.answer(OTHER) == 17
    assert compiling.runs == before + 1 + (not is_used)
    assert len(compiling.entries) == 1 + is_used
    assert {*entries} <= {*compiling.entries}


def test_a_cache_that_cannot_be_made_or_written_is_not_needed(compiling: Workbench, monkeypatch, tmp_path: Path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "cache", tmp_path / "file", Path("/dev/null/cache"), Path("/proc/cache")):
        monkeypatch.setenv("SPECNET_CACHE", str(folder))
        compiling.expect_no_cache()
        assert not folder.is_dir()
    if os.path.isdir("/proc/self") and os.geteuid() == 0:  # root trusts this folder, and cannot write there
        monkeypatch.setenv("SPECNET_CACHE", "/proc")
        assert libraries.cache_folder() == "/proc"
        compiling.expect_no_cache()


def test_the_folder_that_macos_has_for_caches(monkeypatch, tmp_path: Path):
    for variable in ("SPECNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert libraries.cache_folder() == str(tmp_path.resolve() / "Library/Caches" / "specnet")


def test_without_a_folder_for_temporary_files(bench: Workbench):
    bench.install("exit 1")
    bench.temporary.rmdir()
    with pytest.raises(libraries.BuildError, match=r"cannot be written or loaded: .*temporary"):
        library(TEXT)


@pytest.mark.parametrize("fault", ["os.replace", "cache", "temporary"])
def test_a_full_disk_and_a_file_system_without_execution(compiling: Workbench, monkeypatch, fault: str):
    load, is_full = libraries.LoadedLibrary, "." in fault

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def loaded(path: str):
        if path.startswith(str(getattr(compiling, fault))):
            raise OSError(errno.EPERM, "failed to map segment from shared object")
        return load(path)

    name, replaced = (fault, full) if is_full else (f"{libraries.__name__}.LoadedLibrary", loaded)
    monkeypatch.setattr(name, replaced)
    compiling.expect_no_cache()
    assert compiling.answer() == 42
    assert len(compiling.entries) == (not is_full)


def test_a_copy_that_others_could_exchange_is_not_loaded(compiling: Workbench, monkeypatch):
    """Libraries are loaded from the cache's folder if temporary files may not be executed."""
    load, loads = libraries.LoadedLibrary, list[str]()

    def loaded(path: str):
        loads.append(path)
        if path.startswith(str(compiling.temporary)):
            raise OSError(errno.EPERM, "failed to map segment from shared object")
        return load(path)

    monkeypatch.setattr(libraries, "LoadedLibrary", loaded)
    compiling.cache.mkdir(0o700, parents=True)
    compiling.cache.parent.chmod(0o777)
    compiling.expect_failure("failed to map segment")
    assert len(loads) == 1
    compiling.cache.parent.chmod(0o1777)
    assert compiling.answer() == 42


def test_an_entry_that_is_cut_off_while_it_is_in_use(compiling: Workbench):
    text = "int numbers[100000] = {1}; int answer(void) { return 41 + numbers[0]; }"
    library(text)
    (entry,) = compiling.entries
    code = f"import os\n{CHILD}\nos.truncate({str(entry)!r}, 0)\nprint(library(sys.argv[1], ()).answer())"
    run = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True)
    assert (run.returncode, run.stdout.split()) == (0, ["42", "42"])


@pytest.fixture
def home(compiling: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("SPECNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("HOME", str(folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_which_folder_is_the_cache(compiling: Workbench, home: Path, monkeypatch, tmp_path: Path):
    home.mkdir()
    usual = home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "specnet"

    def folders() -> set[Path]:
        compiling.forget()
        library(TEXT)
        return {path.parent for path in tmp_path.rglob("*.so")}

    old = os.umask(0)
    try:
        assert folders() == {usual}
    finally:
        os.umask(old)
    assert stat.S_IMODE(usual.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert folders() == {usual}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folders() == {usual, tmp_path / "xdg" / "specnet"}
    monkeypatch.setenv("SPECNET_CACHE", str(tmp_path / "own" / "cache"))
    assert folders() == {usual, tmp_path / "xdg" / "specnet", tmp_path / "own" / "cache"}
    shutil.rmtree(usual)
    monkeypatch.setenv("SPECNET_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert usual in folders()


@pytest.mark.parametrize("missing", ["folder", "entry"])
def test_a_missing_home_is_not_made(compiling: Workbench, home: Path, monkeypatch, missing: str):
    if missing == "entry":  # a user without an entry in the system's list: "~" stays as it is
        monkeypatch.setenv("HOME", "~")
        assert os.path.expanduser("~") == "~"
    compiling.expect_no_cache()
    assert not home.exists()
    assert not any(Path.cwd().iterdir())


def test_at_most_200_entries_of_which_the_least_recently_used_go(compiling: Workbench):
    library(TEXT)
    (used,) = compiling.entries
    names = [f"{number:064x}-{number:064x}.so" for number in range(200)]
    others = {"notes.txt", "library.so", f"{1:064x}.so", ".specnet-x"}  # the user's folder may hold more
    times = {used.name: 1, **dict.fromkeys(others, 1), **{name: 1000 + number for number, name in enumerate(names)}}
    for name, time in times.items():
        (compiling.cache / name).touch()
        os.utime(compiling.cache / name, (time, time))
    assert compiling.answer() == 42  # from the cache: it is the last used one now
    assert {path.name for path in compiling.cache.iterdir()} == times.keys()
    library(OTHER)
    left = {path.name for path in compiling.cache.iterdir()}
    assert others <= left
    assert len(left - others) == 200
    assert used.name in left
    assert left & set(names) == set(names[2:])
