"""Rows that depend on each other are found, with the split to set; rows that do not raise no alarm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import Observer
from specnet.errors import Diagnostic, render
from tests.running.specs import spec_on
from tests.texts.pinned import Pinned

Frame = pd.DataFrame
Generator = np.random.Generator


def warned(folder: Path, frame: Frame, *overrides: str, loss: str = "mean_squared_error") -> list[Diagnostic]:
    """Return the warnings about the split of a run on a table."""
    frame.to_csv(folder / "rows.csv", index=False)
    scaled = {"target_preprocessing": ["standardize"]} if loss == "mean_squared_error" else {}
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": "y"}
    spec = spec_on(data, network=scaled, loss=loss, baselines=[])
    warnings = specnet.run(spec, overrides=overrides, observer=Observer()).warnings
    return [each for each in warnings if each.code == "random-split"]


def hours(rng: Generator, rows: int = 600) -> Frame:
    """A load that follows the hour of the day and the last hours."""
    load = np.zeros(rows)
    for hour in range(1, rows):
        load[hour] = 0.9 * load[hour - 1] + rng.normal()
    time = pd.date_range("2024-03-01", periods=rows, freq="h")
    return Frame({"time": time, "wind": rng.normal(size=rows).round(2), "y": load.round(3)})


def numbered_hours(rng: Generator) -> Frame:
    frame, hour = hours(rng).drop(columns="time"), np.arange(600)
    return frame.assign(y=frame.y + hour / 60, hour=hour).sample(frac=1, random_state=0)


def days(rng: Generator) -> Frame:
    """Several orders on each day, of which some are better than others."""
    day = np.sort(rng.integers(0, 90, 900))
    dates = np.datetime64("2023-05-01") + day
    return Frame({"day": dates, "size": rng.normal(size=900), "y": rng.normal(size=90)[day] + rng.normal(size=900)})


def visits(rng: Generator, patients: int = 80) -> Frame:
    """Patients of some age and height, who come again and again; each has a level of his own."""
    who = rng.permutation(np.repeat(np.arange(patients), 5))
    height, age = rng.integers(150, 200, patients)[who], rng.integers(20, 90, patients)[who]
    level = rng.normal(size=patients)[who]
    names = rng.permutation(9000)[:patients][who] + 1000
    columns = {"number": names, "age": age, "height": height, "dose": rng.normal(size=len(who))}
    return Frame({**columns, "y": level + 0.5 * rng.normal(size=len(who))})


def named_visits(rng: Generator) -> Frame:
    frame = visits(rng).drop(columns=["age", "height"])
    return frame.assign(patient_id=[f"P{number}" for number in frame.number]).drop(columns="number")


def diagnoses(rng: Generator) -> Frame:
    """A number for each person, whose rows all have the same diagnosis."""
    frame = visits(rng)[["number", "dose"]]
    return frame.assign(y=np.where(frame.number % 7 < 3, "ill", "well"))


def seldom_visits(rng: Generator) -> Frame:
    """Three rows of each person, whose names are ignored: they are texts that few rows share."""
    who = np.repeat(np.arange(150), 3)
    names = [f"person {number}" for number in rng.permutation(150)[who]]
    dose, level = rng.normal(size=450), rng.normal(size=150)[who]
    return Frame({"Patient": names, "dose": dose, "y": level + rng.normal(size=450)})


def sessions(rng: Generator) -> Frame:
    session = np.repeat(np.arange(60), 8)
    noise = rng.normal(size=len(session))
    return Frame({"sessionId": rng.permutation(60)[session], "page": noise, "y": rng.normal(size=60)[session] + noise})


def stores(rng: Generator) -> Frame:
    store = rng.integers(0, 12, 1200)
    sales = rng.normal(size=12)[store] + rng.normal(size=1200)
    return Frame({"store": store + 1, "discount": rng.normal(size=1200), "y": sales})


DEPENDENT: dict[str, tuple[Callable[[Generator], Frame], str, str]] = {
    "hours": (hours, "time", "time"),
    "numbers of hours": (numbered_hours, "time", "hour"),
    "several rows a day": (days, "time", "day"),
    "persons of the same age and height": (visits, "group", "number"),
    "persons by name": (named_visits, "group", "patient_id"),
    "persons who come seldom": (seldom_visits, "group", "Patient"),
    "persons with one diagnosis": (diagnoses, "group", "number"),
    "sessions": (sessions, "group", "sessionId"),
    "stores": (stores, "group", "store"),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("case", DEPENDENT)
def test_rows_that_a_random_split_tears_apart_are_found_and_the_hint_mends_it(tmp_path: Path, case: str, seed: int):
    make, key, column = DEPENDENT[case]
    frame = make(np.random.default_rng(seed))
    loss = "mean_squared_error" if frame.y.dtype.kind == "f" else "binary_crossentropy"
    (warning,) = warned(tmp_path, frame, loss=loss)
    assert warning.hint is not None
    assert warning.hint.startswith(f'set data.split.{key} = "{column}" to ')
    setting = warning.hint.removeprefix("set ").partition(" to ")[0]
    assert f'"{column}"' in warning.message
    assert warned(tmp_path, frame, setting, loss=loss) == []


def noisy(rng: Generator, rows: int = 800) -> Frame:
    """Nothing but noise, with a date, a time, numbers of rows, and a text in every few rows."""
    time = np.datetime64("2024-01-01T00:00") + rng.integers(0, 300_000, rows)
    day = np.datetime64("1980-01-01") + rng.integers(0, 9000, rows)
    columns = {"time": time, "day": day, "number": np.arange(rows)}
    texts = [f"c{number}" for number in rng.integers(0, 90, rows)]
    return Frame({**columns, "customer_id": rng.integers(0, 200, rows), "city": texts, "y": rng.normal(size=rows)})


def born(rng: Generator) -> Frame:
    """Charges that rise with the age."""
    day = rng.integers(0, 20_000, 800)
    dates = np.datetime64("1945-01-01") + day
    return Frame({"born": dates, "weight": rng.normal(size=800), "y": (day / 20_000) ** 2 + 0.1 * rng.normal(size=800)})


def measured(rng: Generator) -> Frame:
    """Whole numbers that tell much of the target, and others that follow from them."""
    power = rng.integers(50, 200, 800)
    return Frame({"power": power, "class": power // 10, "tax": power * 7, "y": power + 20 * rng.normal(size=800)})


def cities(rng: Generator) -> Frame:
    """Categories that tell much of the target; a region for some of them, and a second name for each."""
    city = rng.integers(0, 40, 800)
    columns = {"city": [f"city {number}" for number in city], "code": [f"C{number}" for number in city]}
    return Frame({**columns, "region": city % 4, "y": rng.normal(size=40)[city] + rng.normal(size=800)})


def rare(rng: Generator) -> Frame:
    """A rare class, and identifiers of which few are frequent."""
    columns = {f"{name}_id": rng.zipf(1.5, 300) % 997 for name in "abcde"}
    return Frame({**columns, "y": np.where(rng.permutation(300) < 9, 1.5, 0.5)})


def few_births(rng: Generator) -> Frame:
    """Charges that fall and rise with the age, of few persons."""
    day = rng.integers(0, 20_000, 100)
    dates = np.datetime64("1945-01-01") + day
    return Frame({"born": dates, "y": np.abs(day - 9_000) / 3_000 + rng.normal(size=100)})


def ordered_by_age(rng: Generator) -> Frame:
    """Numbered rows in the order of the age, which tells much of the target."""
    age = np.sort(rng.integers(18, 90, 400))
    return Frame({"nr": np.arange(400), "age": age, "x": rng.normal(size=400), "y": age / 15 + rng.normal(size=400)})


def ordered_by_city(rng: Generator) -> Frame:
    city = np.sort(rng.integers(0, 8, 400))
    y = rng.normal(size=8)[city] * 1.5 + rng.normal(size=400)
    return Frame({"nr": np.arange(400), "city": [f"city {number}" for number in city], "y": y})


def crossed(rng: Generator) -> Frame:
    """Crosses of two of three categories, of which each share a category with the others."""
    a, b, c = rng.integers(0, 8, (3, 1600))
    pairs = {
        name: [f"{i}|{j}" for i, j in zip(*both, strict=True)] for name, both in {"ab": (a, b), "bc": (b, c)}.items()
    }
    columns = {name: [f"{name}{value}" for value in values] for name, values in {"a": a, "b": b, "c": c}.items()}
    y = rng.normal(size=(3, 8))[[0, 1, 2], np.stack([a, b, c], 1)].sum(1) + 0.3 * rng.normal(size=1600)
    return Frame({**columns, **pairs, "y": y})


def binned(rng: Generator) -> Frame:
    """A number, its bins, and those of a number that depends on it."""
    size = rng.normal(size=900)
    weight = size + 0.02 * rng.normal(size=900)
    bins = {"bin": pd.cut(size, 40, labels=False), "other": pd.cut(weight, 12, labels=False)}
    texts = {name: [f"({value}]" for value in values] for name, values in bins.items()}
    return Frame({"size": size.round(4), **texts, "y": size + 0.3 * rng.normal(size=900)})


def telling(rng: Generator) -> Frame:
    """Finds of 16 kinds by four properties: crosses of three properties name nearly one kind each."""
    kind = rng.integers(0, 16, 800)
    marks = [np.where(rng.random(800) < 0.04, rng.integers(0, 4, 800), (kind // by) % 4) for by in (1, 4, 2, 8)]
    pairs = {
        f"cross {left}": [f"{i}{j}{k}" for i, j, k in zip(*marks[left : left + 3], strict=True)] for left in (0, 1)
    }
    return Frame({**{f"mark {index}": mark for index, mark in enumerate(marks)}, **pairs, "y": [f"k{k}" for k in kind]})


INDEPENDENT = {
    "noise": noisy,
    "dates of birth": born,
    "few dates of birth": few_births,
    "measurements": measured,
    "cities": cities,
    "a rare class": rare,
    "crosses of categories": crossed,
    "bins": binned,
    "crosses that tell the class": telling,
    "rows in the order of a measurement": ordered_by_age,
    "rows in the order of a category": ordered_by_city,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", INDEPENDENT)
def test_rows_that_do_not_depend_on_each_other_raise_no_alarm(tmp_path: Path, case: str, seed: int):
    frame = INDEPENDENT[case](np.random.default_rng(seed))
    loss = "mean_squared_error" if frame.y.dtype.kind == "f" else "categorical_crossentropy"
    assert warned(tmp_path, frame, loss=loss) == []


@pytest.mark.parametrize("split", ["data.split.time=time", "data.split={test_size=0, validation_size=0}"])
def test_a_split_by_time_or_none_at_all_is_not_warned_of(tmp_path: Path, split: str):
    frame = hours(np.random.default_rng(0))
    assert warned(tmp_path, frame, split) == []


def test_a_large_table_is_judged_by_some_of_its_blocks(tmp_path: Path):
    (warning,) = warned(tmp_path, hours(np.random.default_rng(0), 30_000))
    assert warning.hint is not None
    assert 'data.split.time = "time"' in warning.hint


def test_what_is_said_of_groups_and_times(tmp_path: Path, pinned: Pinned):
    for make in (hours, visits, named_visits):
        (warning,) = warned(tmp_path, make(np.random.default_rng(0)))
        pinned(render(warning, "warning"))
