"""A command line within this process."""

import contextlib
import io
import warnings

from specnet.cli.application import call


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Return how a command line ends: status, standard output and standard error."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        status = call(arguments)
    out.flush()
    return status, out.buffer.getvalue().decode(), err.getvalue()
