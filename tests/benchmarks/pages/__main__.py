"""Compute the figures of pages again: ``python -m tests.benchmarks.pages [KIND …]``.

Small runs of each kind of page are made in a temporary folder. Prints for each kind how many figures were computed
again, and those that differ. The exit status is 1 if any differs, or if a kind has fewer than 60.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pages.kinds import KINDS, figures_of

LEAST = 60


def main() -> int:
    """Print a row for each kind."""
    failed = 0
    print("| page | figures | differ |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for kind in sys.argv[1:] or KINDS:
            found = figures_of(kind, Path(folder, kind.replace(" ", "_")))
            print(f"| {kind} | {found.count} | {len(found.differing)} |", flush=True)
            for text in found.differing:
                print(f"    {text}")
            failed += bool(found.differing) or found.count < LEAST
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
