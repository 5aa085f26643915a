"""The target of a CPU, from what the system says of it."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import processors
from tests.compiling import AVX2, AVX512, GENERIC, SSE2, Processor, native_processor

V3 = "sse2 avx avx2 fma bmi2"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for function in (native_processor, processors.cpu_identity, processors._description):
        function.cache_clear()


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that makes this a machine with this CPU: with Linux, or with macOS if there are its texts."""

    def change(machine: str, *first: str, second: str = "flags: nothing", macos: dict[str, str] | None = None) -> None:
        path = tmp_path / "cpuinfo"
        path.unlink(missing_ok=True)
        if first:
            path.write_text("\n".join(["processor\t: 0", *first, "", "processor\t: 1", second, ""]))
        texts, system = macos or {}, "linux" if macos is None else "darwin"
        changes = {"_CPU_INFO": str(path), "_sysctl": lambda name: texts.get(name, "")}
        changes |= {"sys.platform": system, "platform.machine": lambda: machine}
        for name, changed in changes.items():
            monkeypatch.setattr(f"{processors.__name__}.{name}", changed)
        forget()

    return change


def with_flags(known: Processor, *flags: str) -> Processor:
    return dataclasses.replace(known, flags=flags)


NATIVE = "-march=native"


@pytest.mark.parametrize(
    ("machine", "line", "expected"),
    [
        ("x86_64", f"flags\t\t: {V4}", with_flags(AVX512, NATIVE, "-mprefer-vector-width=512")),
        ("x86_64", f"flags\t\t: {V4}".replace("avx512vl", ""), with_flags(AVX2, NATIVE)),
        ("AMD64", f"flags\t\t: {V3}", with_flags(AVX2, NATIVE)),
        ("x86_64", "flags\t\t: sse2 avx", with_flags(SSE2, NATIVE)),
        ("x86_64", "bogomips\t: 4000", SSE2),
        ("aarch64", "Features\t: fp asimd", with_flags(processors.NEON, "-mcpu=native")),
        ("aarch64", "BogoMIPS\t: 50", processors.NEON),
        ("riscv64", "isa\t: rv64imafdc", GENERIC),
    ],
)
def test_the_first_cpu_decides(cpu, machine: str, line: str, expected: Processor):
    cpu(machine, line, second=f"flags\t\t: {V4}")
    assert native_processor() == expected


def test_a_cpu_that_the_system_does_not_describe_gets_no_native_code(cpu):
    cpu("x86_64")
    assert native_processor() == SSE2


def test_identities_differ_by_features_and_model_and_not_by_clock(cpu):
    def identity(machine: str, *lines: str) -> str:
        cpu(machine, *lines)
        return processors.cpu_identity()

    first = identity("x86_64", "model\t: 1", "cpu MHz\t: 3000.1", f"flags\t: {V4}")
    assert identity("x86_64", "model\t: 1", "cpu MHz\t: 1200.7", f"flags\t: {V4}") == first
    others = [
        identity("x86_64", "model\t: 2", f"flags\t: {V4}"),
        identity("x86_64", "model\t: 1", f"flags\t: {V3}"),
        identity("i686", "model\t: 1", f"flags\t: {V4}"),
        identity("aarch64", "Features\t: asimd", "CPU part\t: 0xd0c"),
        identity("aarch64", "Features\t: asimd", "CPU part\t: 0xd40"),
    ]
    assert len({first, *others}) == 6


def test_macos_lists_features_in_two_texts(cpu):
    texts = {"machdep.cpu.features": "FPU SSE2 FMA AVX1.0", "machdep.cpu.leaf7_features": "BMI1 AVX2"}
    cpu("x86_64", macos=texts)
    assert native_processor() == with_flags(AVX2, NATIVE)
    assert "BMI1 AVX2" in processors.cpu_identity()


def test_this_machine_has_a_target():
    assert native_processor().vector_bytes in (16, 32, 64)
    assert native_processor() is native_processor()
    assert sys.platform in processors.cpu_identity()
