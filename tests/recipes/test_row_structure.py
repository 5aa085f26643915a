"""The recipe splits by what makes rows depend on each other, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import SpecClassifier, SpecRegressor, parse_spec
from specnet.recipes import recipe, table_facts
from tests.data.test_dependent_rows import DEPENDENT, INDEPENDENT, hours, seldom_visits, visits
from tests.registry import part
from tests.texts.calling import called
from tests.texts.pinned import Pinned


def text_of(folder: Path, frame: pd.DataFrame, target: str = "y") -> str:
    frame.to_csv(folder / "table.csv", index=False)
    data = part("data", "csv", path="table.csv", target=target)
    facts = table_facts(data, folder)
    return recipe(facts, name="t", file="t.toml", data_type="csv", path="table.csv", target=target)


def split_of(folder: Path, frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns that the recipe's split goes by, of a recipe that is trained for one epoch."""
    (folder / "t.toml").write_text(text_of(folder, frame))
    spec = parse_spec(folder / "t.toml")
    assert spec.data is not None
    specnet.run(spec, overrides=["training.epochs=1", "training.baselines=[]"])
    split = {key: getattr(spec.data.split, key) for key in ("group", "time")}
    return {key: name for key, name in split.items() if name is not None}


@pytest.mark.parametrize("case", DEPENDENT)
def test_the_split_respects_groups_and_times(tmp_path: Path, case: str):
    make, key, column = DEPENDENT[case]
    assert split_of(tmp_path, make(np.random.default_rng(0))) == {key: column}


@pytest.mark.parametrize("case", INDEPENDENT)
def test_other_rows_are_split_at_random(tmp_path: Path, case: str):
    text = text_of(tmp_path, INDEPENDENT[case](np.random.default_rng(0)))
    assert "flatter" not in text
    assert "split = { test_size = 0.2 }" in text


def test_few_dates_are_times_only_in_their_order(tmp_path: Path):
    rng, day = np.random.default_rng(0), np.repeat(np.arange(18), 8)
    y = 2 * rng.normal(size=18)[day] + rng.normal(size=144)
    frame = pd.DataFrame({"day": np.datetime64("2023-05-01") + day, "size": rng.normal(size=144), "y": y})
    assert 'time = "day"' in text_of(tmp_path, frame)
    assert 'time = "day"' not in text_of(tmp_path, frame.sample(frac=1, random_state=0))


def test_what_is_written_and_printed(tmp_path: Path, pinned: Pinned, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    frames = {"visits": visits, "hours": hours, "seldom": seldom_visits}
    for name, make in frames.items():
        make(np.random.default_rng(0)).to_csv(f"{name}.csv", index=False)
        printed = called("new", f"{name}.toml", "--data", f"{name}.csv", "--target", "y").ok().out
        pinned("\n".join(line for line in printed.splitlines() if "a run takes" not in line))
        text = Path(f"{name}.toml").read_text()
        pinned(text[text.index("target =") : text.index("[network]")])


def test_too_few_groups_are_reported_but_not_split_by(tmp_path: Path):
    rng = np.random.default_rng(0)
    store = rng.choice(12, 1200, p=[0.6, *[0.4 / 11] * 11])
    frame = pd.DataFrame({"store": store, "x": rng.normal(size=1200), "y": 3 * rng.normal(size=12)[store]})
    frame["y"] += rng.normal(size=1200)
    text = text_of(tmp_path, frame)
    assert "split = { test_size = 0.2 }" in text
    assert "too few groups" in " ".join(text.replace("#", "").split())


def test_names_of_a_group_are_no_features_but_what_groups_share_is(tmp_path: Path):
    rng = np.random.default_rng(0)
    store = rng.integers(0, 40, 1000)
    names = {"store_id": store, "name": [f"shop {number}" for number in store], "city": [f"c{n % 6}" for n in store]}
    frame = pd.DataFrame({**names, "x": rng.normal(size=1000), "y": rng.normal(size=40)[store] + rng.normal(size=1000)})
    text = text_of(tmp_path, frame)
    (tmp_path / "t.toml").write_text(text)
    assert parse_spec(tmp_path / "t.toml").feature_names == ("x", "city")


def test_a_text_that_names_groups_is_no_feature_but_free_text_is(tmp_path: Path):
    rng = np.random.default_rng(0)
    first, last, who = ["Ann", "Bob", "Cid", "Eve"], ["Ash", "Bush", "Cole", "Dane", "Ende"], rng.permutation(240) // 2
    name = [f"{first[n % 4]} {last[n % 5]} {first[n // 20 % 4]} {last[n // 24]}" for n in who]
    words = rng.permuted(np.tile(["good", "bad", "slow", "fast"], (240, 1)), axis=1)[:, :3]
    y = rng.normal(size=120)[who] + 0.3 * rng.normal(size=240)
    frame = pd.DataFrame({"customer_name": name, "note": [f"{' '.join(w)} {i}" for i, w in enumerate(words)], "y": y})
    text = text_of(tmp_path, frame)
    (tmp_path / "t.toml").write_text(text)
    spec = parse_spec(tmp_path / "t.toml")
    assert spec.data is not None
    assert spec.data.split.group == "customer_name"
    assert spec.feature_names == ("note",)
    assert 'note = "text"' in text


def test_an_estimator_leaves_groups_out_and_validates_on_whole_ones():
    frame = visits(np.random.default_rng(0)).assign(number=lambda rows: "p" + rows.number.astype(str))
    fitted = SpecRegressor("recipe", epochs=1, random_state=0).fit(frame.drop(columns="y"), frame.y)
    assert "number" not in (fitted.model_.spec.feature_names or ())
    new = frame.drop(columns="y").assign(number="somebody else")
    np.testing.assert_array_equal(fitted.predict(new), fitted.predict(frame.drop(columns="y")))


def test_an_estimator_keeps_times_as_a_trend():
    frame = hours(np.random.default_rng(0))
    fitted = SpecRegressor("recipe", epochs=1, random_state=0).fit(frame.drop(columns="y"), frame.y)
    assert set(fitted.model_.spec.feature_names or ()) == {"time", "wind"}
    assert SpecClassifier("recipe", epochs=1).fit(frame.drop(columns="y"), frame.y > 0).score is not None


def test_what_new_writes_fits_a_data_frame_with_its_groups(tmp_path: Path):
    frame = visits(np.random.default_rng(0))
    (tmp_path / "t.toml").write_text(text_of(tmp_path, frame))
    model = specnet.fit(tmp_path / "t.toml", frame.drop(columns="y"), frame.y, overrides=["training.epochs=1"])
    assert "number" not in (model.feature_names or ())
