"""Exports that read texts: folding, tokens and vectors are those of the model, for any text."""

from __future__ import annotations

import csv
import io
import json
import runpy
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from specnet import ExportError, Model, export
from specnet.exporting import find_target
from specnet.model import ErrorQuantiles
from specnet.parts.preprocessing.folding import folding_table
from tests.exporting import tokens_of_file, tools
from tests.exporting.models import exported
from tests.exporting.tables import CLASSES, fitted, group, raw
from tests.exporting.test_matrix import ensemble_of

WORDS = ["Crème", "brûlée", "straße", "東京", "ЁЛКА", "fish", "and", "chips", "🔥", "don't", "naïve", "ﬁne", "x"]
KINDS = {"a": "numeric", "said": "text", "kind": "category", "b": "text"}
POINTS = 0x110000
TAKING = [
    "numpy",
    pytest.param("c", marks=tools.needs_compiler),
    pytest.param("javascript", marks=tools.needs_node),
    "onnx",
]
UNUSUAL = [
    "",
    " \t\n",
    '🔥🔥 fish\nAND chips, "don\'t"',
    "fish and chips " * 7000,
    "x" * 20_000 + " fish",
    "\u0301\u0301 cre\u0300me cr\u00e8me",
    "\ud800fish\udfff and \udcff chips",
    "\U0010ffff\ufdd0\u200d fish \ufffd",
]
"""Without words, of 100 kB, with marks alone, with lone surrogates, and with code points that no character has."""
BYTES = [
    b"fish\xff and chips",
    b"cr\xc3\xa8me \xc3fish \xe6\x9d chips \xf0\x9f\x94\x94",
    b"\xed\xa0\x80fish \xc0\xaf \xe0\x80\xaf \xf4\x90\x80\x80 chips \xf8\x88\x80\x80\x80",
    b"fish \xf0\x9f\x94",
]
"""What is not UTF-8: single bytes, sequences that are cut, surrogates, too long forms, and no code points."""


def rows_of(seed: int, count: int = 90) -> pandas.DataFrame:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, 1 + number % 9)) for number in range(count)]
    other = [" ".join(rng.choice(WORDS[:6], 3)) if number % 5 else None for number in range(count)]
    return pandas.DataFrame({"a": rng.normal(size=count), "said": texts, "kind": ["p", "q"] * (count // 2), "b": other})


@cache
def model_of(dtype: str = "float64", loss: str = CLASSES, seed: int = 0) -> Model:
    """Return a model of two columns of texts, one without pairs, beside a number and a category."""
    steps = [
        group("said", {"type": "text_vectors", "size": 7}, "standardize"),
        group("kind", "one_hot"),
        group("b", {"type": "text_vectors", "size": 3, "pairs": False, "shortest": 1, "longest": 2}),
        group("a", "impute", "standardize"),
    ]
    return fitted(steps, rows_of(seed), dtype, loss, feature_kinds=KINDS)


def unusual_rows(texts: list[str]) -> pandas.DataFrame:
    cells = [[0.5, first, "q", second] for first, second in zip(texts, texts[::-1], strict=True)]
    return pandas.DataFrame(np.array(cells, object), columns=list(KINDS), dtype=object)


def random_texts(count: int) -> list[str]:
    """Return texts of random code points, of which many are folded, between known words."""
    rng, points = np.random.default_rng(1), np.array(sorted(folding_table()))
    found = []
    for _ in range(count):
        letters = [chr(point) for point in (*rng.choice(points[1:], 6), *rng.integers(1, 0x110000, 3))]
        pieces = rng.permutation([*letters, *rng.choice(WORDS, 6), " ", " ", ","]).tolist()
        found.append("".join(pieces))
    return found


FOLD = """
static int32_t folded[{count}][8];
int main(void)
{{
    for (int32_t point = 1; point < {count}; point++) {{
        int32_t to = folded_to(point), *out = folded[point];
        if (to == SEPARATOR)
            *out = ' ';
        else if (to >= EXPANDED)
            for (const int32_t *other = expansions + (to - EXPANDED); *other; other++)
                *out++ = *other;
        else if (to != NOTHING)
            *out = point + to;
    }}
    fwrite(folded, sizeof folded, 1, stdout);
    return 0;
}}
"""


@tools.needs_compiler
def test_folding_in_c(tmp_path: Path):
    """Of every code point but the null character, which ends a text."""
    tools.render(model_of(), tmp_path / "m.c")
    source = (tmp_path / "m.c").rename(tmp_path / "m.inc").read_text()
    assert "folded_to" in source
    printed = tools.answers_of_c(tmp_path, '#include <stdio.h>\n#include "m.inc"\n' + FOLD.format(count=POINTS))
    found = np.frombuffer(printed, np.int32).reshape(POINTS, -1)
    expected = np.zeros_like(found)
    expected[1:, 0] = np.arange(1, POINTS)
    for point, text in folding_table().items():
        expected[point] = np.pad(list(map(ord, text)), (0, found.shape[1] - len(text))) if point else 0
    np.testing.assert_array_equal(found, expected)


@tools.needs_compiler
def test_a_model_of_texts_alone_compiles(tmp_path: Path):
    steps = [group("said", {"type": "text_vectors", "size": 7}, "standardize")]
    model = fitted(steps, rows_of(0)[["said"]], feature_kinds={"said": "text"})
    exported(model, "c", tmp_path / "m.c")


@tools.needs_node
def test_folding_in_javascript(tmp_path: Path):
    text = tools.render(model_of(), tmp_path / "m.mjs", "javascript")["m.mjs"]
    (tmp_path / "m.mjs").write_text(f"{text}\nexport {{ folding }};\n")
    script = 'import { folding } from "./m.mjs"; console.log(JSON.stringify(Array.from(folding)));'
    assert dict(map(tuple, tools.printed_by_node(script, tmp_path))) == folding_table()


def answers(target: str, path: Path, texts: list[bytes]) -> Any:
    """Return the probabilities of an export for texts, of which the other column has those in reversed order."""
    if target == "numpy":
        rows = unusual_rows([text.decode("utf-8", "surrogateescape") for text in texts])
        return runpy.run_path(str(path))["predict_proba"](rows)
    if target == "onnx":
        return tokens_of_file.answers(path, unusual_rows([text.decode("utf-8", "surrogateescape") for text in texts]))
    if target == "javascript":
        cells = unusual_rows([text.decode("utf-8", "surrogateescape") for text in texts]).to_numpy().tolist()
        script = f'import {{ forward }} from "./{path.name}"; const rows = {json.dumps(cells)};'
        return np.array(
            tools.printed_by_node(
                f"{script} console.log(JSON.stringify(rows.map((row) => Array.from(forward(row)))));", path.parent
            )
        )
    given = b"".join(
        struct.pack("<ii", len(first) + 1, len(second) + 1) + first + b"\0" + second + b"\0"
        for first, second in zip(texts, texts[::-1], strict=True)
    )
    return np.frombuffer(tools.answers_of_c(path.parent, ANSWER, given)).reshape(len(texts), -1)


ANSWER = """
#include <stdio.h>
#include <stdint.h>
#include "m.h"
static char said[1 << 20], b[1 << 20];
static double workspace[M_WORKSPACE];

int main(void)
{
    int32_t sizes[2];
    while (fread(sizes, sizeof sizes, 1, stdin) == 1) {
        double x[M_INPUTS] = {0.5}, y[M_OUTPUTS];
        if (fread(said, (size_t)sizes[0], 1, stdin) != 1 || fread(b, (size_t)sizes[1], 1, stdin) != 1)
            return 1;
        m_text_work(1, said, x, workspace);
        x[8] = m_code(8, "q");
        m_text_work(9, *b ? b : NULL, x, workspace);
        m_forward_work(x, y, workspace);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("target", TAKING)
def test_any_text(target: str, tmp_path: Path):
    """Also what is not UTF-8, whose bytes separate words as lone surrogates do: so Python reads them on demand."""
    model = model_of()
    path = exported(model, target, tmp_path / f"m{tools.SUFFIXES[target].replace('.js', '.mjs')}").files[0]
    texts = [text.encode("utf-8", "surrogatepass") for text in [*UNUSUAL, *random_texts(60)]] + BYTES
    expected = model.predict_proba(unusual_rows([text.decode("utf-8", "surrogateescape") for text in texts]))
    assert len(np.unique(expected.round(9), axis=0)) > 60
    np.testing.assert_allclose(answers(target, path, texts), expected, rtol=0, atol=1e-12)


def team(dtype: str, loss: str) -> Model:
    """Return a team of an ensemble, of a network that saw other texts, and of one that saw those of the first."""
    first, other = model_of(dtype, loss), model_of(dtype, loss, 3)
    return Model.joined([ensemble_of(first), other, first], [2, 1, 1])


@pytest.mark.parametrize("target", TAKING)
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_teams_and_ensembles(dtype: str, target: str, tmp_path: Path):
    model, path = team(dtype, CLASSES), tmp_path / f"m{tools.SUFFIXES[target]}"
    assert exported(model, target, path).proof.rounding == 0
    if target == "javascript":
        assert path.read_text().count("hasPairs:") == 4  # of six tables, two are the same
    rows = raw(model, rows_of(7))
    found = tools.run_export(target, model, path, rows).outputs
    np.testing.assert_allclose(
        found, model.predict_proba(rows), rtol=0, atol={"float64": 1e-12, "float32": 2e-6}[dtype]
    )


@pytest.mark.parametrize("target", TAKING)
def test_intervals(target: str, tmp_path: Path):
    model = Model.joined([model_of("float64", "mse"), model_of("float64", "mse", 3)], [2, 1])
    model.error_quantiles = ErrorQuantiles(np.linspace(0, 3, 50)[np.newaxis])
    path = export(model, target, tmp_path / f"m{tools.SUFFIXES[target]}", interval=0.5).files[0]
    rows, kind = raw(model, rows_of(7)), find_target(target)
    found = kind.run(kind.program(model, model.network.dtype).with_interval(0.5), path, rows)
    np.testing.assert_allclose(found.intervals[:, 0], model.predict_interval(rows, 0.5), rtol=0, atol=1e-12)


def test_numpy_reads_csv_with_texts_that_need_quotes(tmp_path: Path):
    model, path = model_of(), tmp_path / "m.py"
    rows = unusual_rows(["fish, chips", 'say "fish"', "fish\nand\r\nchips", "and;\tnaïve", ""])
    exported(model, "numpy", path)
    rows.to_csv(tmp_path / "new.csv", index=False)
    printed, refusal = tools.as_program(path, tmp_path / "new.csv")
    assert refusal == ""
    found = [
        [float(row[f"probability_{name}"]) for name in model.labels] for row in csv.DictReader(io.StringIO(printed))
    ]
    np.testing.assert_allclose(found, model.predict_proba(rows), rtol=0, atol=1e-12)


WRONG: dict[str, Callable[[str], str]] = {
    "javascript": lambda text: text.replace("16777619", "16777617"),
    "c": lambda text: text.replace("{65, 90, 1, 32}", "{65, 90, 1, 31}"),
}


@pytest.mark.parametrize("target", TAKING[1:3])
def test_a_wrong_table_is_seen(target: str, tmp_path: Path, change: Callable[..., None]):
    """The proof compares texts as it does all other cells: one letter that is folded otherwise is refused."""

    def rendered(files: dict[Path, bytes], _: Any, path: Path) -> dict[Path, bytes]:
        wrong = WRONG[target](files[path].decode())
        assert wrong.encode() != files[path]
        return files | {path: wrong.encode()}

    change(target, "render", rendered)
    with pytest.raises(ExportError, match="differs from the model"):
        export(model_of(), target, tmp_path / f"m{tools.SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())
