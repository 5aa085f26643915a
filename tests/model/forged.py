"""Forged model files: each is refused with words, or is a model that can be used.

Run with ``python -m tests.model.forged [COUNT]``: 1 000 of each kind of model, and every bit of their headers with
``python -m tests.model.forged bits``. A sample of both is part of the tests.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load, save

import specnet
from specnet import FileError, Model, SpecnetError, SpecnetWarning, load_model

ROWS = 60
LOSSES = {"price": "mean_squared_error", "kind": "categorical_crossentropy"}
SECONDS = 10.0
"""Within which each is refused or used."""


def frame(rows: int = ROWS) -> pd.DataFrame:
    """Return rows with numbers, gaps, texts, many texts, dates and booleans."""
    rng = np.random.default_rng(0)
    area = rng.normal(80, 20, rows).round(1)
    return pd.DataFrame(
        {
            "area": np.where(rng.random(rows) < 0.2, np.nan, area),
            "city": rng.choice(["Bergen", "Oslo", "Tromsø"], rows),
            "street": rng.choice([f"street {n}" for n in range(15)], rows),
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D"),
            "garden": rng.random(rows) < 0.5,
            "price": (area * 3 + rng.normal(0, 5, rows)).round(2),
            "kind": rng.choice(["flat", "house", "hut"], rows),
        }
    )


def of_table(target: str, folder: Path, **training: Any) -> Model:
    """Return the model of a CSV file, as a run of the command line saves it."""
    frame().drop(columns="kind" if target == "price" else "price").to_csv(folder / "rows.csv", index=False)
    columns = {"street": "category", "area": "numeric"}
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": target, "columns": columns}
    training = {"loss": LOSSES[target], "epochs": 1, **training}
    return specnet.run({"data": data, "network": {"hidden_layer_sizes": [4]}, "training": training}).model


def of_frame(target: str, **fields: Any) -> Model:
    rows, network = frame(), {"hidden_layer_sizes": [3], **fields}
    spec = {"network": network, "training": {"loss": LOSSES[target], "epochs": 1}}
    return specnet.fit(spec, rows.drop(columns=["price", "kind"]), rows[target])


def models(folder: Path) -> dict[str, tuple[bytes, Any]]:
    """Return the bytes of models of several kinds, and rows for each."""
    rows = frame().drop(columns=["price", "kind"])
    groups = [
        {"columns": ["area"], "steps": ["impute", "quantile"]},
        {"columns": ["city", "street"], "steps": ["ordinal"]},
        {"columns": ["sold"], "steps": ["calendar", "impute"]},
        {"columns": ["garden"], "steps": []},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecnetWarning)
        first = of_frame("kind", preprocessing=groups)
        made = {
            "table": of_table("price", folder),
            "ensemble of a table": of_table("kind", folder, ensemble=2),
            "frame": first,
            "value of a frame": of_frame("price", target_preprocessing=["log", "standardize"]),
            "team": Model.joined([first, of_frame("kind")], [1, 2]),
        }
    return {name: (model.to_bytes(), rows) for name, model in made.items()}


def header_of(content: bytes) -> int:
    """Return where the header of a model's bytes ends."""
    return 8 + int.from_bytes(content[:8], "little")


def with_flipped_bit(content: bytes, bit: int) -> bytes:
    """Return the bytes with one bit of the header changed, counted from its first one."""
    place = 8 + bit // 8
    return content[:place] + bytes([content[place] ^ 1 << bit % 8]) + content[place + 1 :]


def forgery(content: bytes, generator: random.Random) -> bytes:
    """Return the bytes of a model in whose metadata or tensors something is another thing."""
    length = header_of(content)
    header = json.loads(content[8:length])
    metadata = json.loads(header["__metadata__"]["specnet"])
    tensors = load(content)
    for _ in range(generator.choice([1, 1, 1, 2, 4])):
        if generator.random() < 0.75:
            change_document(metadata, generator)
        else:
            change_tensors(tensors, generator)
    return save(tensors, {"specnet": json.dumps(metadata, ensure_ascii=False)})


def seeded_forgery(content: bytes, seed: int) -> bytes:
    return forgery(content, random.Random(seed))


def change_document(document: Any, generator: random.Random) -> None:
    """Change something in a document: a value, a name, what a list or a table holds."""
    holder, key = generator.choice(list(_places(document)))
    value = holder[key]
    match generator.randrange(6):
        case 0:
            holder[key] = generator.choice([None, True, -1, 0, 1, 2, 10**6, 2**63, 1.5, "", "x", [], {}, [[]], [None]])
        case 1:
            other, place = generator.choice(list(_places(document)))
            holder[key] = copy.deepcopy(other[place])
        case 2 if isinstance(holder, dict):
            holder[_changed_text(key, generator)] = holder.pop(key)
        case 2 | 3:
            del holder[key]
        case 4 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(value))
        case 5 if isinstance(value, list):
            generator.shuffle(value)
        case _ if isinstance(value, str):
            holder[key] = _changed_text(value, generator)
        case _ if isinstance(value, (int, float)):
            holder[key] = value + generator.choice([-1, 1, 0.5, 1000])


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def _changed_text(text: str, generator: random.Random) -> str:
    place = generator.randrange(len(text) + 1)
    return text[:place] + generator.choice(["", "x", "\0", "é", '"', " "]) + text[place + generator.randrange(2) :]


def change_tensors(tensors: dict[str, Any], generator: random.Random) -> None:
    """Change numbers, a name or a shape of a tensor, or leave one out."""
    name = generator.choice(sorted(tensors))
    array = tensors[name]
    match generator.randrange(6):
        case 0:
            del tensors[name]
        case 1:
            tensors[_changed_text(name, generator) or "x"] = tensors.pop(name)
        case 2:
            tensors[name] = np.array(array.reshape(-1)[: generator.randrange(array.size + 1)])
        case 3:
            other = tensors[generator.choice(sorted(tensors))]
            tensors[name] = other.copy()
        case _:
            changed = array.copy().reshape(-1)
            chosen = generator.choice([0, -1, 1, 2, 255, 10**6, 1e300, -1e300, 1e-300, np.nan, np.inf])
            if changed.size:
                with np.errstate(all="ignore"):
                    changed[generator.randrange(changed.size)] = np.array(chosen).astype(changed.dtype)
            tensors[name] = changed.reshape(array.shape)


def verdict(content: bytes, rows: Any, folder: Path) -> str:
    """Return what becomes of a forged file: refused, refused for these rows, or used.

    Whatever else is raised is a fault of specnet, and so is a message of more than one line or an endless one.
    """
    path = folder / "forged.safetensors"
    path.write_bytes(content)
    begin = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpecnetWarning)
            try:
                model = load_model(path)
            except FileError as error:
                words = str(error)
                assert len(words) < 20_000, f"{len(words)} characters"
                assert all(line.isprintable() for line in words.split("\n"))
                return "refused"
            assert model.to_bytes() == load_model_bytes(model)
            try:
                answers = model.predict(rows)
            except SpecnetError as error:
                return "rows refused" if str(error) else "no words"
            assert len(answers) == len(rows)
            return "used"
    finally:
        assert time.monotonic() - begin < SECONDS, "it takes too long"


def load_model_bytes(model: Model) -> bytes:
    """Return the bytes of what a model's bytes hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.safetensors"
        model.save(path)
        return load_model(path).to_bytes()


def main(arguments: list[str]) -> int:
    """Print what becomes of forged files, and each that is a fault; return how many of these there are."""
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, (content, rows) in models(folder).items():
            forge: Callable[[int], bytes]
            if arguments == ["bits"]:
                count, forge = 8 * (header_of(content) - 8), partial(with_flipped_bit, content)
            else:
                count = int(arguments[0]) if arguments else 1000
                forge = partial(seeded_forgery, content)
            found: Counter[str] = Counter()
            for number in range(count):
                try:
                    found[verdict(forge(number), rows, folder)] += 1
                except Exception as error:  # any of them is a fault
                    found["FAULT"] += 1
                    print(f"{kind}, {number}: {type(error).__name__}: {error}"[:300])
            faults += found["FAULT"]
            print(f"{kind}: {count} files: " + ", ".join(f"{n} {what}" for what, n in sorted(found.items())))
    return faults


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
