"""What runs exports on this machine, and the tests that need it."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

COMPILER = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
NODE = shutil.which("node")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")
PLAIN = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {"NO_COLOR": "1"}
"""An environment in which node prints without colours."""

PEER = (pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning"))
"""Marks of what needs Keras and PyTorch, whose own warnings are theirs."""


def peers(test: Any) -> Any:
    for mark in PEER:
        test = mark(test)
    return test


LIBRARIES = {"sklearn": ".skops", "torch": ".py", "keras": ".keras"}
SUFFIXES = {"numpy": ".py", "c": ".c", "javascript": ".js", "onnx": ".onnx"}
"""Of the targets that say any network."""
RUNNABLE = ["numpy", pytest.param("c", marks=needs_compiler), pytest.param("javascript", marks=needs_node), "onnx"]
