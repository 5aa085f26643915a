"""What runs on the same rows have in common is made once, and is the same as made anew for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.running import data_rows, fitting
from specnet.running.data_rows import Rows
from tests.running.sweeps.searches import fingerprint

pytestmark = [pytest.mark.slow, pytest.mark.trains]

SPEC = """\
name = "known"
[data]
type = "csv"
path = "rows.csv"
target = "y"
[data.split]
test_size = 0.2
validation_size = 0.2
[network]
hidden_layer_sizes = [3]
[training]
loss = "categorical_crossentropy"
epochs = 2
[sweep]
sampler = "grid"
[sweep.space]
"network.preprocessing" = [["impute", "standardize"], ["impute", "quantile"]]
"training.l2" = [0.0, 0.1]
"""
FOLDED = SPEC.replace("validation_size = 0.2\n", "").replace("[sweep]", "[sweep]\nfolds = 3\nseeds = 2")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write rows with gaps, texts and a column that is constant, which is warned of."""
    rng = np.random.default_rng(0)
    lines = ["a,b,c,y"]
    for number in range(90):
        a, b = rng.normal(size=2)
        lines.append(f"{a:.3f},{'' if number % 7 == 0 else f'{b:.3f}'},7,{'yes' if a > b else 'no'}")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path


def searched(folder: Path, text: str, out: str) -> tuple[dict[str, str], Counter[str]]:
    """Return a sweep's files, and how often warnings were told."""
    (folder / "spec.toml").write_text(text)
    warned: Counter[str] = Counter()

    class Warned(specnet.Observer):
        def warned(self, diagnostics: Any) -> None:
            warned.update(each.message for each in diagnostics)

    specnet.sweep(folder / "spec.toml", folder / out, jobs=1, report=False, observer=Warned())
    return fingerprint(folder / out), warned


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often what many runs have in common was made."""
    counts: Counter[str] = Counter()

    def counted(place: Any, name: str) -> None:
        original = getattr(place, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(place, name, counting)

    counted(data_rows, "split_rows")
    counted(fitting, "column_suspicions")
    fit = data_rows.Preparation.fit.__func__  # type: ignore[attr-defined] # of a class method

    def fitting_columns(kind: type, groups: Any, columns: Any, *arguments: Any, **named: Any) -> Any:
        counts["fit"] += len(columns) > 0 and columns.shape[1] == 3
        return fit(kind, groups, columns, *arguments, **named)

    monkeypatch.setattr(data_rows.Preparation, "fit", classmethod(fitting_columns))
    return counts


def test_trials_have_their_rows_and_preprocessing_in_common(table: Path, made: Counter[str]):
    searched(table, SPEC, "sweep")
    # The best trial has test rows too, which may be training rows.
    assert made == {"split_rows": 1, "fit": 2, "column_suspicions": 1 + 1}


def test_each_fold_is_cut_and_prepared_once(table: Path, made: Counter[str]):
    searched(table, FOLDED, "sweep")
    # The spec itself and the best trial have no validation rows: one split more, with one preprocessing or both.
    assert made.pop("fit") - 2 * 3 in (1, 2)
    assert made == {"split_rows": 3 + 1, "column_suspicions": 3 + 1}


@pytest.mark.parametrize("text", [SPEC, FOLDED.replace("folds = 3", "folds = 2")], ids=["rows", "folds"])
def test_what_is_known_changes_no_byte(text: str, table: Path, monkeypatch: pytest.MonkeyPatch):
    known = searched(table, text, "known")

    def anew(own: Rows, key: Hashable, make: Callable[[], Any]) -> Any:
        return make()

    monkeypatch.setattr(Rows, "once", anew)
    files, warned = searched(table, text, "anew")
    assert warned == known[1]
    # Its warnings have the name of the folder.
    assert {name for name in files if files[name] != known[0][name]} == {"best/run.json"}
