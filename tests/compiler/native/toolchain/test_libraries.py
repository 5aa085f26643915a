"""C text becomes a library by whatever compiler there is, or an error says why not."""

import importlib.util
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import libraries
from specnet.compiler.native.toolchain.compilers import compiler_name
from specnet.compiler.native.toolchain.libraries import BuildError
from tests.compiler.native.toolchain.conftest import OTHER, TEXT, Workplace, library
from tests.compiling import AVX2, SSE2
from tests.exporting.tools import needs_compiler

pytestmark = pytest.mark.slow

NOT_BUILT = "no C compiler was found: cc, gcc and clang are not on the PATH"


@needs_compiler
def test_a_text_is_compiled_once_and_loaded_once(place: Workplace):
    place.install('exec real "$@"')
    first = library(TEXT)
    assert first.answer() == 42
    assert library(TEXT) is first
    assert library(OTHER).answer() == 17
    assert place.runs == 2
    assert len(place.entries) == 2
    assert stat.S_IMODE(place.cache.stat().st_mode) == 0o700
    assert place.is_clean()


@needs_compiler
def test_from_the_cache_only_the_version_is_asked_for(place: Workplace):
    place.install('exec real "$@"', version=f"echo asked >> {place.log}")
    assert place.answer() == 42
    assert place.log.read_text().split() == ["asked", "run"]
    assert place.answer() == 42
    assert place.log.read_text().split() == ["asked", "run", "asked"]
    for text in (TEXT, OTHER, TEXT):
        library(text)
    assert place.log.read_text().split() == ["asked", "run", "asked", "run"]


def test_flags_and_text_reach_the_compiler(place: Workplace):
    environment = f"{place.programs}/environment"
    place.install(
        f'echo "$@" > {place.programs}/arguments; cat > {place.programs}/text; '
        f'echo "$LC_ALL" > {environment}; echo "$TMPDIR" >> {environment}; exit 1'
    )
    with pytest.raises(BuildError):
        library(TEXT, AVX2)
    arguments = (place.programs / "arguments").read_text().split()
    assert [argument for argument in arguments if argument.startswith("-O")] == ["-O1"]
    expected = "-ftree-vectorize -fopenmp-simd -fno-math-errno -fno-trapping-math -fPIC -shared"
    assert {*expected.split(), *AVX2.flags, "-lm"} <= set(arguments)
    assert "-ffast-math" not in arguments
    assert (place.programs / "text").read_text() == TEXT
    language, temporary = Path(environment).read_text().splitlines()
    assert language == "C"  # its messages are searched for words
    assert Path(temporary).parent == place.temporary  # what it leaves there is removed too
    assert place.is_clean()


@needs_compiler
def test_a_text_for_each_target_and_compiler(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    compiler = place.install('exec real "$@"')
    library(TEXT)
    library(TEXT, SSE2)
    assert place.runs == len(place.entries) == 2
    os.utime(compiler, (1, 1))  # another version was installed
    library(TEXT)
    assert place.runs == len(place.entries) == 3
    monkeypatch.setattr(libraries, "cpu_identity", lambda: "another CPU")
    assert place.answer() == 42
    assert place.runs == len(place.entries) == 4


@needs_compiler
def test_an_upgrade_behind_a_wrapper_is_seen(place: Workplace):
    said = place.programs / "version"
    said.write_text("gcc 12.1")
    wrapper = place.install('exec real "$@"', version=f"cat {said}")
    before = wrapper.stat()
    for version, runs in (("gcc 12.1", 1), ("gcc 12.1", 1), ("gcc 12.2", 2), ("gcc 12.1", 2)):
        said.write_text(version)
        assert place.answer() == 42
        assert place.runs == len(place.entries) == runs
    assert wrapper.stat().st_mtime_ns == before.st_mtime_ns


@needs_compiler
def test_a_mistake_in_the_text_is_told(place: Workplace):
    place.install('exec real "$@"')
    assert "\n" not in place.expect_failure("^cc failed: error: .*nowhere", "int answer(void) { return nowhere; }")


@needs_compiler
@pytest.mark.parametrize(
    ("flag", "told"),
    [("-fno-such-flag=1", "^cc failed: .*-fno-such-flag"), ("-lno_such_library", "no_such_library")],
)
def test_what_the_compiler_or_the_linker_misses_is_told(
    place: Workplace, compiler_flags: Callable[..., None], flag: str, told: str
):
    compiler_flags(further=(flag,))
    place.install('exec real "$@"')
    place.expect_failure(told)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'in file x'; echo 'x.c:1:2: fatal error: no math.h' >&2; exit 1", "cc failed: fatal error: no math.h"),
        ("echo; echo 'license expired'; exit 1", "cc failed: license expired"),
        ("exit 3", "cc failed: exit status 3"),
        ("kill -9 $$", "cc failed: it was ended by signal 9"),
        ("exit 0", "cc wrote no library"),
        ("printf 'error: \\377%0300d' 1; exit 1", None),
    ],
)
def test_failing_compilers(place: Workplace, script: str, expected: str | None):
    place.install(script)
    message = place.expect_failure()
    assert len(message) <= 220
    assert expected is None or message == expected


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="the format of libraries is another one")
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_library_that_is_cut_off_is_neither_loaded_nor_kept(place: Workplace, share: float):
    """To load it would end the process, and the next ones: a new one shows it."""
    cut = f"import os, sys; os.truncate(sys.argv[1], int({share} * os.path.getsize(sys.argv[1])))"
    place.install(
        f'real "$@"; for last; do case "$before" in -o) made=$last;; esac; before=$last; done\n'
        f'{sys.executable} -c "{cut}" $made'
    )
    for _ in range(2):
        with place.start() as process:
            printed, errors = process.communicate(timeout=60)
        assert printed == ""
        assert errors.endswith("BuildError: cc did not write the whole library\n")
        assert not place.entries
        assert place.is_clean()


@needs_compiler
def test_a_library_without_its_functions_is_not_kept(place: Workplace):
    place.install('exec real "$@"')
    with pytest.raises(BuildError, match="undefined symbol: missing"):
        libraries.library(TEXT, ("answer", "missing"))
    assert not place.entries
    assert place.is_clean()


def test_what_is_no_library_is_not_loaded(place: Workplace):
    place.install('for last; do case "$before" in -o) echo nonsense > "$last";; esac; before=$last; done')
    place.expect_failure("cannot be written or loaded")


def test_a_compiler_that_does_not_start(place: Workplace):
    place.install("exit").write_bytes(b"\x7fELF nonsense")
    place.expect_failure("^cc does not start: ")
    assert compiler_name() == "cc"


def test_no_compiler(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(place.programs))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compiler_name() is None
    place.expect_failure(f"^{NOT_BUILT}$")
    monkeypatch.setenv("CC", "tcc -w")
    place.expect_failure("tcc -w, cc, gcc and clang are not on the PATH")


def test_windows_is_refused(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "name", "nt")
    assert compiler_name() is None
    place.expect_failure("Windows is not supported")


def test_compilers_in_order(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(place.programs))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("clang", "gcc", "cc", "own"):
        path = place.install(f"echo '{name}: error: is called'; exit 1", name)
        if name == "own":
            monkeypatch.setenv("CC", f"'{path}' -w")
        expected = "own -w" if name == "own" else name
        place.expect_failure(f"^{expected} failed: error: is called$")
    monkeypatch.setenv("CC", "missing")
    place.expect_failure("^cc failed")
    monkeypatch.setenv("CC", "'cc")
    place.expect_failure("^the environment variable CC is not a valid command: no closing quotation$")
    assert compiler_name() is None


def test_arguments_of_cc_come_first(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    place.install(f'echo "$1 $2" > {place.programs}/arguments; exit 1', "own")
    monkeypatch.setenv("CC", "own -a '-b c'")
    place.expect_failure()
    assert (place.programs / "arguments").read_text() == "-a -b c\n"


@needs_compiler
def test_ziglang_is_the_last_resort(place: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    package = tmp_path / "packages" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    zig = place.install(f'[ "$1" = cc ] && shift && PATH={os.environ["PATH"]} exec real "$@"', "zig")
    zig.rename(package / "zig")
    monkeypatch.syspath_prepend(str(package.parent))
    here = tmp_path / "here"  # what lies in the working folder is not executed
    here.mkdir()
    (here / "os.py").write_text(f"open({str(here / 'executed')!r}, 'w')")
    (here / "ziglang.py").write_text(f"open({str(here / 'executed')!r}, 'w')")
    monkeypatch.chdir(here)
    assert library(OTHER).answer() == 17
    assert compiler_name() != "zig cc"
    monkeypatch.setenv("PATH", str(place.programs))
    assert library(TEXT).answer() == 42
    assert place.runs == 1
    assert "ziglang" not in sys.modules
    assert not (here / "executed").exists()


@needs_compiler
def test_the_compiler_is_named_with_its_version(place: Workplace):
    assert re.fullmatch(r"(gcc|clang) \d+(\.\d+)+", str(compiler_name()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cc (Debian 12.2.0-14) 12.2.1\nCopyright (C) 2022 Free Software Foundation, Inc.", "gcc 12.2.1"),
        ("Ubuntu clang version 14.0.0-1ubuntu1.1\nTarget: x86_64-pc-linux-gnu", "clang 14.0.0"),
        ("Apple clang version 15.0.0 (clang-1500.3.9.4)", "clang 15.0.0"),
        ("tiny compiler 0.9", "cc 0.9"),
        ("", "cc"),
    ],
)
def test_versions_of_compilers(place: Workplace, line: str, expected: str):
    place.install("exit 1", version=f"echo '{line}'")
    assert compiler_name() == expected
    assert place.is_clean()
