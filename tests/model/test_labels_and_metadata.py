"""What a model's file says beside its numbers: the version, and the labels of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specnet import FileError
from specnet.model.file import LABEL_CHARACTERS_LIMIT, decode_labels, encode_labels, parse_metadata
from tests.texts.pinned import Refused


def test_metadata_is_a_version_and_a_spec(refused: Refused) -> None:
    assert parse_metadata('{"format_version":1,"spec":{"name":"é"}}') == ([], [(1, {"name": "é"})])
    both = '{"share":3,"spec":{}},{"share":1,"spec":{"name":"é"}}'
    assert parse_metadata('{"format_version":2,"models":[' + both + "]}") == ([], [(3, {}), (1, {"name": "é"})])
    for text in (
        *("", "[]", "[" * 100_000, "{}", "\ud800", '{"spec":{},"format_version":1}'),
        *(f'{{"format_version":{more}}}' for more in ('true,"spec":{}', '0,"spec":{}', '"1","spec":{}', "2", "1")),
        *(f'{{"format_version":1,"spec":{more}}}' for more in ("[]", '{},"more":1', '{"a":1,"a":2}', '{"a":Infinity}')),
    ):
        with refused(FileError):
            parse_metadata(text)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([-(2**63), -3, 2**63 - 1]),
        np.array(["", "a", "b"]),
        np.array(["Zürich", "ein Wort", "z\n", "日本", "𝛼" * 50]),
        np.array(["a", "aa"], dtype="U100"),
        np.array(["\0", "a", "a\0b"]),
    ],
)
def test_labels_come_back(labels: np.ndarray) -> None:
    decoded = decode_labels(encode_labels(labels))
    assert decoded is not None
    assert decoded.tolist() == labels.tolist()
    assert decoded.dtype.kind == labels.dtype.kind
    assert decode_labels({}) is None


@pytest.mark.slow
@given(st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_texts_come_back(texts: set[str]) -> None:
    labels = np.unique(list(texts))
    decoded = decode_labels(encode_labels(labels)) if labels.dtype.itemsize else labels
    assert decoded is not None
    assert decoded.tolist() == labels.tolist()


def test_one_long_label_among_many_asks_for_no_memory(refused: Refused) -> None:
    longest = LABEL_CHARACTERS_LIMIT // 1000 + 1
    text = b"a" * 999 + b"b" * longest
    arrays = {"labels.bytes": np.frombuffer(text, np.uint8), "labels.offsets": np.array([*range(1000), len(text)])}
    with refused(FileError):
        decode_labels(arrays)
    long = [letter * (LABEL_CHARACTERS_LIMIT // 2 + 1) for letter in "ab"]
    for labels in (long, ["a", "\ud800"]):
        with refused(FileError):
            encode_labels(np.array(labels))
