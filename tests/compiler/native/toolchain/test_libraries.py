"""C text becomes a library by whatever compiler there is, or an error says why not."""

import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import compilers, libraries
from tests.compiler.native.toolchain.conftest import OTHER, TEXT, Workbench, library
from tests.compiling import AVX2, SSE2

pytestmark = pytest.mark.slow


def test_a_text_is_compiled_once_and_loaded_once(compiling: Workbench):
    first = library(TEXT)
    assert first.answer() == 42
    assert library(TEXT) is first
    assert library(OTHER).answer() == 17
    assert compiling.runs == 2
    assert len(compiling.entries) == 2
    assert stat.S_IMODE(compiling.cache.stat().st_mode) == 0o700
    assert compiling.is_clean()


def test_from_the_cache_only_the_version_is_asked_for(compiling: Workbench):
    compiling.install('exec real "$@"', version=f"echo version >> {compiling.log}")
    for logged in ("version run", "version run version"):
        assert compiling.answer() == 42
        assert compiling.log.read_text().split() == logged.split()
    for text in (TEXT, OTHER, TEXT):
        library(text)
    assert compiling.log.read_text().split() == ["version", "run", "version", "run"]


def test_flags_and_text_reach_the_compiler(bench: Workbench):
    seen = bench.programs / "seen"
    seen.mkdir()
    variables = f'echo "$LC_ALL" > {seen}/language; echo "$TMPDIR" > {seen}/temporary'
    bench.install(f'echo "$@" > {seen}/arguments; cat > {seen}/text; {variables}; exit 1')
    with pytest.raises(libraries.BuildError):
        library(TEXT, AVX2)
    found = {path.name: path.read_text().strip() for path in seen.iterdir()}
    arguments = found["arguments"].split()
    assert [argument for argument in arguments if argument.startswith("-O")] == ["-O1"]
    expected = "-ftree-vectorize -fopenmp-simd -fno-math-errno -fno-trapping-math -fPIC -shared"
    assert {*expected.split(), *AVX2.flags, "-lm"} <= set(arguments)
    assert "-ffast-math" not in arguments
    assert found["text"] == TEXT
    assert found["language"] == "C"  # its messages are searched for words
    assert Path(found["temporary"]).parent == bench.temporary  # what it leaves there is removed too
    assert bench.is_clean()


def test_a_text_for_each_target_and_compiler(compiling: Workbench, monkeypatch):
    library(TEXT)
    library(TEXT, SSE2)
    assert compiling.runs == len(compiling.entries) == 2
    os.utime(compiling.programs / "cc", (1, 1))  # another version was installed
    library(TEXT)
    assert compiling.runs == len(compiling.entries) == 3
    monkeypatch.setattr(libraries, "cpu_identity", lambda: "another CPU")
    assert compiling.answer() == 42
    assert compiling.runs == len(compiling.entries) == 4


def test_an_upgrade_behind_a_wrapper_is_seen(compiling: Workbench):
    text = compiling.programs / "version"
    text.write_text("gcc 12.1")
    wrapper = compiling.install('exec real "$@"', version=f"cat {text}")
    before = wrapper.stat()
    for version, runs in (("gcc 12.1", 1), ("gcc 12.1", 1), ("gcc 12.2", 2), ("gcc 12.1", 2)):
        text.write_text(version)
        assert compiling.answer() == 42
        assert compiling.runs == len(compiling.entries) == runs
    assert wrapper.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("-O0", "int answer(void) { return nowhere; }", "^cc failed: error: .*nowhere"),
        ("-fno-such-flag=1", TEXT, "^cc failed: .*-fno-such-flag"),
        ("-lno_such_library", TEXT, "no_such_library"),
    ],
)
def test_what_the_compiler_or_the_linker_misses_is_reported(
    compiling: Workbench, compiler_flags: Callable[..., None], flag: str, text: str, message: str
):
    compiler_flags(further=(flag,))
    assert "\n" not in compiling.expect_failure(message, text)


NO_LIBRARY = 'for last; do case "$before" in -o) echo nonsense > "$last";; esac; before=$last; done'


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'in file x'; echo 'x.c:1:2: fatal error: no math.h' >&2; exit 1", "cc failed: fatal error: no math.h"),
        ("echo; echo 'license expired'; exit 1", "cc failed: license expired"),
        ("exit 3", "cc failed: exit status 3"),
        ("kill -9 $$", "cc failed: it was ended by signal 9"),
        ("exit 0", "cc wrote no library"),
        ("printf 'error: \\377%0300d' 1; exit 1", "cc failed: error: .*"),
        (NO_LIBRARY, ".*cannot be written or loaded.*"),
    ],
)
def test_failing_compilers(bench: Workbench, script: str, expected: str):
    bench.install(script)
    message = bench.expect_failure(f"^{expected}$")
    assert len(message) <= 220 or script == NO_LIBRARY  # which names a path


@pytest.mark.skipif(sys.platform != "linux", reason="the format of libraries is another one")
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_library_that_is_cut_off_is_neither_loaded_nor_stored(compiling: Workbench, share: float):
    """To load it would end the process, and the next ones: a new one shows it."""
    cut = f"import os, sys; os.truncate(sys.argv[1], int({share} * os.path.getsize(sys.argv[1])))"
    compiling.install(
        f'real "$@"; for last; do case "$before" in -o) made=$last;; esac; before=$last; done\n'
        f'{sys.executable} -c "{cut}" $made'
    )
    for _ in range(2):
        with compiling.start() as process:
            printed, errors = process.communicate(timeout=60)
        assert printed == ""
        assert errors.endswith("BuildError: cc did not write the whole library\n")
        assert not compiling.entries
        assert compiling.is_clean()


def test_a_library_without_its_functions_is_not_stored(compiling: Workbench):
    with pytest.raises(libraries.BuildError, match="undefined symbol: missing"):
        libraries.library(TEXT, ("answer", "missing"))
    assert not compiling.entries
    assert compiling.is_clean()


def test_a_compiler_that_does_not_start(bench: Workbench):
    bench.install("exit").write_bytes(b"\x7fELF nonsense")
    bench.expect_failure("^cc does not start: ")
    assert compilers.compiler_name() == "cc"


@pytest.fixture
def alone(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A workbench with no compiler but those that a test installs."""
    monkeypatch.setenv("PATH", str(bench.programs))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    return bench


def test_no_compiler(alone: Workbench, monkeypatch):
    assert compilers.compiler_name() is None
    alone.expect_failure("^no C compiler was found: cc, gcc and clang are not on the PATH$")
    monkeypatch.setenv("CC", "tcc -w")
    alone.expect_failure("tcc -w, cc, gcc and clang are not on the PATH")


def test_windows_is_refused(bench: Workbench, monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    assert compilers.compiler_name() is None
    bench.expect_failure("Windows is not supported")


def test_compilers_in_order(alone: Workbench, monkeypatch):
    for name in ("clang", "gcc", "cc", "own"):
        path = alone.install(f"echo '{name}: error: is called'; exit 1", name)
        if name == "own":
            monkeypatch.setenv("CC", f"'{path}' -w")
        expected = "own -w" if name == "own" else name
        alone.expect_failure(f"^{expected} failed: error: is called$")
    monkeypatch.setenv("CC", "missing")
    alone.expect_failure("^cc failed")
    monkeypatch.setenv("CC", "'cc")
    alone.expect_failure("^the environment variable CC is not a valid command: no closing quotation$")
    assert compilers.compiler_name() is None


def test_arguments_of_cc_come_first(bench: Workbench, monkeypatch):
    bench.install(f'echo "$1 $2" > {bench.programs}/arguments; exit 1', "own")
    monkeypatch.setenv("CC", "own -a '-b c'")
    bench.expect_failure()
    assert (bench.programs / "arguments").read_text() == "-a -b c\n"


def test_ziglang_is_the_last_resort(compiling: Workbench, monkeypatch, tmp_path: Path):
    (compiling.programs / "cc").unlink()
    package = tmp_path / "packages" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    zig = compiling.install(f'[ "$1" = cc ] && shift && PATH={os.environ["PATH"]} exec real "$@"', "zig")
    zig.rename(package / "zig")
    monkeypatch.syspath_prepend(str(package.parent))
    here = tmp_path / "here"  # what lies in the working folder is not executed
    here.mkdir()
    for name in ("os.py", "ziglang.py"):
        (here / name).write_text(f"open({str(here / 'executed')!r}, 'w')")
    monkeypatch.chdir(here)
    assert library(OTHER).answer() == 17
    assert compilers.compiler_name() != "zig cc"
    monkeypatch.setenv("PATH", str(compiling.programs))
    assert library(TEXT).answer() == 42
    assert compiling.runs == 1
    assert "ziglang" not in sys.modules
    assert not (here / "executed").exists()


def test_the_compiler_is_named_with_its_version(compiling: Workbench):
    (compiling.programs / "cc").unlink()
    assert re.fullmatch(r"(gcc|clang) \d+(\.\d+)+", str(compilers.compiler_name()))


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
def test_versions_of_compilers(bench: Workbench, line: str, expected: str):
    bench.install("exit 1", version=f"echo '{line}'")
    assert compilers.compiler_name() == expected
    assert bench.is_clean()
