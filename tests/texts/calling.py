"""A command line within this process."""

import contextlib
import io
import signal
import sys
import warnings
from collections.abc import Iterator

from specnet.cli import main


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Give this process back how it took signals: `main` is the last thing in a process otherwise."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGALRM, before[1])
        sys.unraisablehook = before[2]


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Return how a command line ends: status, standard output and standard error."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings(), own_signals():
        warnings.simplefilter("ignore")
        try:
            main(arguments)
        except SystemExit as ended:
            status = ended.code
    assert isinstance(status, int)
    out.flush()
    return status, out.buffer.getvalue().decode(), err.getvalue()
