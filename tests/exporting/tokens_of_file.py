"""Answers of ONNX files with columns of words, whose tokens are computed from what the file itself says."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas


def hash_of(data: bytes) -> int:
    """Return the FNV-1a hash of 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def tokens(text: str, folding: dict[int, str], settings: dict[str, Any]) -> list[int]:
    words = [word for word in text.translate(folding).split(" ") if word]
    found = [hash_of(word.encode()) for word in words]
    if settings["pairs"]:
        found += [hash_of(f"{first} {second}".encode()) for first, second in pairwise(words)]
    for length in range(settings["shortest"], settings["longest"] + 1):
        for word in (f" {word} " for word in words):
            grams = [word[start : start + length] for start in range(len(word) - length + 1)]
            found += [2**32 + hash_of(b"\0" + gram.encode()) for gram in grams]
    return found


def answers(path: Path, rows: pandas.DataFrame) -> np.ndarray:
    """Return what onnxruntime computes of a table: probabilities or values."""
    session = onnxruntime.InferenceSession(path)
    metadata = session.get_modelmeta().custom_metadata_map
    folding = {int(point): text for point, text in json.loads(metadata["folding"]).items()}
    listed = json.loads(metadata["tokens"])
    words = {settings["column"] for settings in listed.values()}
    others = rows.drop(columns=[*words])
    are_texts = [pandas.api.types.infer_dtype(others[name], skipna=True) == "string" for name in others]
    fed: dict[str, Any] = {
        "numbers": others.loc[:, [not each for each in are_texts]].to_numpy(np.float64),
        "texts": others.loc[:, are_texts].fillna("").to_numpy(object),
    }
    for name, settings in listed.items():
        found = [tokens(text, folding, settings) for text in rows[settings["column"]].fillna("")]
        most = max(map(len, found))
        fed[name] = np.array([each + [-1] * (most - len(each)) for each in found], np.int64)
    names = [each.name for each in session.get_inputs()]
    (output,) = (each.name for each in session.get_outputs() if each.name in ("value", "probabilities"))
    return session.run([output], {name: fed[name] for name in names})[0]
