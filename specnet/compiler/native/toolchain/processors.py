"""The kinds of CPUs for which C code is written and compiled."""

from __future__ import annotations

import ctypes
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

__all__ = ["AVX2", "AVX512", "GENERIC", "NEON", "SSE2", "Processor", "cpu_identity", "native_processor"]


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of CPU.

    Attributes
    ----------
    name : str
        Name of its vector instructions.
    vector_bytes : int
        Size of a vector register in bytes.
    registers : int
        Number of vector registers that a tile of a matrix product may use; one more is free for operands.
    flags : tuple of str
        Compiler flags that enable its instructions.
    """

    name: str
    vector_bytes: int
    registers: int
    flags: tuple[str, ...]


# By default, GCC uses half of each AVX-512 register.
_WHOLE_VECTORS = ("-mprefer-vector-width=512",)

AVX512 = Processor("AVX-512", 64, 31, ("-march=x86-64-v4", *_WHOLE_VECTORS))
AVX2 = Processor("AVX2", 32, 15, ("-march=x86-64-v3",))
SSE2 = Processor("SSE2", 16, 15, ("-march=x86-64",))
NEON = Processor("NEON", 16, 31, ())
GENERIC = Processor("generic", 16, 15, ())

_NATIVE_FLAGS = {
    AVX512: ("-march=native", *_WHOLE_VECTORS),
    AVX2: ("-march=native",),
    SSE2: ("-march=native",),
    NEON: ("-mcpu=native",),  # on ARM, Apple's compiler has long refused -march=native
}

_NEEDED = {AVX512: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, AVX2: {"avx2", "fma"}}
"""CPU features that a target requires; without them, its vectors would be split into smaller ones."""

_CPU_INFO = "/proc/cpuinfo"
_DESCRIBING = {
    "linux": ("vendor_id", "cpu family", "model", "model name", "CPU implementer", "CPU variant", "CPU part"),
    "darwin": ("machdep.cpu.brand_string",),
}
_FEATURES = {"linux": ("flags", "Features"), "darwin": ("machdep.cpu.features", "machdep.cpu.leaf7_features")}
"""The keys of the lists of CPU features in the description by each system."""


@cache
def native_processor() -> Processor:
    """Return the target for this machine's CPU.

    Its flags enable all instructions of the CPU only if `cpu_identity` distinguishes the CPU from others.
    """
    machine = platform.machine().lower()
    features = _features()
    if machine in ("x86_64", "amd64"):
        target = next((target for target, needed in _NEEDED.items() if needed <= features), SSE2)
    elif machine in ("aarch64", "arm64"):
        target = NEON
    else:
        return GENERIC
    return replace(target, flags=_NATIVE_FLAGS[target]) if _description() else target


@cache
def cpu_identity() -> str:
    """Return a description of the system, the CPU and its features; machines with equal ones can share machine code."""
    return "\n".join([sys.platform, platform.machine(), *(f"{key}: {value}" for key, value in _description().items())])


def _features() -> set[str]:
    found = _description()
    return {feature for name in _FEATURES.get(sys.platform, ()) for feature in found.get(name, "").lower().split()}


@cache
def _description() -> dict[str, str]:
    """Return the system's description of its first CPU by key; empty if there is none."""
    names = _DESCRIBING.get(sys.platform, ()) + _FEATURES.get(sys.platform, ())
    found = {}
    if sys.platform == "darwin":
        found = {name: _sysctl(name) for name in names}
    elif sys.platform == "linux":
        with suppress(OSError), open(_CPU_INFO, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    break  # the end of the first CPU: reading the description of hundreds takes long
                found[name.strip()] = value.strip()
    return {name: found[name] for name in names if found.get(name)}


def _sysctl(name: str) -> str:
    """Return the macOS kernel's text of this name; empty if there is none."""
    text, size = ctypes.create_string_buffer(4096), ctypes.c_size_t(4096)
    failed = ctypes.CDLL(None).sysctlbyname(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode(errors="replace")
