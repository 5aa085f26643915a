"""What `specnet validate --fix` makes of right specs that are broken once: `python -m tests.benchmarks.fixing`.

Specs are those of the tests, of ``specs/``, and recipes by `specnet new` for the tables in ``specs/data/``. Each is
broken by one random edit: 700 slips in words, and 100 each of numbers in quotes, lines that are gone and lines that are
there twice. A spec that is still valid is left. The exit status is 1 if an edit makes another spec of one.
"""

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.spec.slips import KINDS, SPECS, broken, outcome, right_texts
from tests.texts.calling import called

TARGETS = {
    "cafe": "cups",
    "coins": "side",
    "payments": "late",
    "penguins": "species",
    "survey": "species",
    "wine": "cultivar",
}


def recipes() -> list[str]:
    """Return the specs that `specnet new` writes for the tables."""
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for name, target in TARGETS.items():
            file = Path(folder, f"{name}.toml")
            called("new", file, "--data", SPECS / "data" / f"{name}.csv", "--target", target).ok()
            made.append(file.read_text(encoding="utf-8"))
    return made


def main() -> int:
    rng, sources = random.Random(0), [*right_texts(), *recipes()]
    print("| edit | specs | restored | left | other |\n| --- | ---: | ---: | ---: | ---: |")
    others = []
    for kind, count in zip(KINDS, (700, 100, 100, 100), strict=True):
        found = Counter(outcome(*broken(text, rng, kind)) for text in rng.choices(sources, k=count))
        restored, left = found.pop("restored", 0), found.pop("left", 0)
        print(f"| {kind} | {count} | {restored} | {left} | {count - restored - left} |")
        others += [*found]
    print("\n".join(others))
    return int(bool(others))


if __name__ == "__main__":
    sys.exit(main())
