"""A category that one to four training rows miss: a model knows such rows again."""

import numpy as np
import pytest


@pytest.mark.parametrize("towns", [3, 12], ids=["one-hot", "embedded"])
@pytest.mark.parametrize("gaps", [1, 4])
def test_rows_like_the_few_with_a_gap_are_predicted(gaps, towns, specnet, folder):
    """No warning, and another answer than for a town that nobody has seen."""
    rng = np.random.default_rng(gaps)
    town = np.array([f"town {place}" for place in rng.permutation(np.arange(30 * towns) % towns)])
    town[:gaps] = ""
    size = rng.normal(size=len(town))
    rows = [f"{a:.3f},{b},{'big' if a > 0 else 'small'}" for a, b in zip(size, town, strict=True)]
    (folder / "table.csv").write_text("\n".join(["size,town,kind", *rows, ""]), encoding="utf-8")
    (folder / "asked.csv").write_text("size,town\n0.5,\n0.5,elsewhere\n", encoding="utf-8")
    setting = "data.split={ test_size = 0 }"  # all rows train
    specnet("new spec.toml --data table.csv --target kind -q").ok()
    line = next(line for line in (folder / "spec.toml").read_text("utf-8").splitlines() if line.startswith("town"))
    assert f"{gaps} missing" in line
    fast = ("--set", "training.epochs=2", "--no-report", "-q")
    specnet("run", "spec.toml", "-o", "run", "--set", setting, *fast).ok()
    ended = specnet("predict run asked.csv --strict").ok()
    assert "untrained-gap" not in ended.err
    _, missing, unseen = (line.split(",") for line in ended.out.splitlines())
    assert missing[0] in ("big", "small")
    assert missing[1:] != unseen[1:]
