"""What tests of the compiled engine have in common."""

import pytest

from specnet.compiler.native import missing

compiles = pytest.mark.skipif(missing() is not None, reason=f"nothing can be compiled: {missing()}")
"""Marks a test that needs a C compiler."""
