"""The workspace of C exports: what a function has on the stack, and what it answers with the caller's memory."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import Model, export
from specnet.model import ErrorQuantiles
from tests.exporting.languages.test_c import FLAGS, STRICT, compiled
from tests.exporting.models import built, dense, ensemble_of
from tests.exporting.tables import table_model
from tests.exporting.tools import COMPILER, needs_compiler
from tests.model.models import make_model

Written = Callable[[str, Path], tuple[Model, str]]
STACK = 1024
"""Bytes that a function may have on the stack whose workspace the caller passes."""
SMALL_STACK = 65536
"""Bytes of the stack of a thread, less than a workspace of many columns."""


@cache
def ranked(units: int, dtype: str = "float64", columns: int = 10, ends: bool = False) -> Model:
    """Return a regressor with a quantile step, which needs 384 numbers for each column."""
    X = np.random.default_rng(0).normal(0, 1, (500, columns))
    network = {"hidden_layer_sizes": [units], "dtype": dtype, "preprocessing": ["quantile"]}
    model = specnet.fit({"network": network, "training": {"loss": "mean_squared_error", "epochs": 1}}, X, X[:, 0])
    if ends:
        model.error_quantiles = ErrorQuantiles(np.linspace(0, 3, 50)[None])
    return model


def many_classes(dtype: str) -> Model:
    layers = [dense(40, activation="relu"), dense(300, activation="softmax")]
    labels = np.arange(300)
    return built(*layers, dtype=dtype, seed=1, input_size=20, loss="categorical_crossentropy", labels=labels)


MODELS: dict[str, Callable[[], Model]] = {
    "quantile": lambda: ranked(9, columns=40),
    "quantile, float32": lambda: ranked(64, "float32"),
    "intervals": lambda: ranked(50, ends=True),
    "few intervals": lambda: ranked(20, columns=3, ends=True),
    "ensemble": lambda: ensemble_of(ranked(60)),
    "team": lambda: Model.joined([ranked(70), ensemble_of(ranked(80))], [2, 1]),
    "small team": lambda: Model.joined([ranked(20, columns=3), ensemble_of(ranked(30, columns=3))], [1, 3]),
    "classes": lambda: many_classes("float64"),
    "classes, float32": lambda: many_classes("float32"),
    "texts": lambda: table_model("one_hot"),
    "embedded texts, float32": lambda: table_model("embedding", "float32"),
    "several labels": lambda: make_model("multilabel"),
    "few numbers": lambda: make_model("binary", "float32"),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Export one of the models, compared with it on 256 rows, and return it with its header."""

    @cache
    def once(name: str) -> tuple[Model, dict[str, str]]:
        folder, model = tmp_path_factory.mktemp("exports"), MODELS[name]()
        proof = export(model, "c", folder / "m.c", interval=0.5 if "intervals" in name else None).proof
        assert proof.rows == 256
        return model, {path.name: path.read_text() for path in folder.iterdir()}

    def written(name: str, folder: Path) -> tuple[Model, str]:
        model, files = once(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        return model, files["m.h"]

    return written


def number(header: str, name: str) -> int:
    (found,) = re.findall(rf"^#define M_{name} (\d+)$", header, re.MULTILINE)
    return int(found)


@needs_compiler
@pytest.mark.parametrize("name", MODELS)
def test_functions_have_no_more_than_a_kilobyte_on_the_stack(name: str, written: Written, tmp_path: Path):
    _, header = written(name, tmp_path)
    assert COMPILER is not None
    command = [COMPILER, *FLAGS, *STRICT, "-O0", "-fstack-usage", "-c", "m.c", "-o", "m.o"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr
    used = {
        re.sub(r".*:", "", place): int(size)
        for place, size, _ in (line.split("\t") for line in next(tmp_path.glob("*.su")).read_text().splitlines())
    }
    bytes_ = 8 * number(header, "WORKSPACE")
    names = {
        f"m_{each}" for each in ("forward", "predict", "interval") if f" m_{each}_work(" in header.replace("*", " ")
    }
    simple = names if bytes_ <= 16384 else set()
    assert {f"{each}_work" for each in names} | simple <= set(used)
    assert not (names - simple) & set(used)
    assert [each for each in used if used[each] > STACK + bytes_ * (each in simple)] == []
    assert bytes_ > SMALL_STACK or name != "quantile"
    declared = {each for each in names if re.search(rf"\b{each}\(", header)}
    assert declared == simple
    assert ("there are no functions without it" in header) == (not simple)


IN_A_THREAD = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "m.h"

static real x[M_INPUTS], y[M_OUTPUTS];

static void *answered(void *workspace)
{
    while (fread(x, sizeof(real), M_INPUTS, stdin) == M_INPUTS) {
        m_forward_work(x, y, workspace);
        fwrite(y, sizeof(real), M_OUTPUTS, stdout);
    }
    return workspace;
}

int main(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    void *workspace = malloc(sizeof(double) * M_WORKSPACE);
    if (pthread_attr_init(&attributes) || pthread_attr_setstacksize(&attributes, SMALL_STACK))
        return 1;
    if (pthread_create(&thread, &attributes, answered, workspace) || pthread_join(thread, 0))
        return 2;
    return 0;
}
"""


@needs_compiler
def test_a_thread_with_a_stack_of_64_kilobytes_is_enough(written: Written, tmp_path: Path):
    model, _ = written("quantile", tmp_path)
    (tmp_path / "main.c").write_text(IN_A_THREAD)
    assert COMPILER is not None
    size = f"-DSMALL_STACK={SMALL_STACK}"
    command = [COMPILER, "-std=gnu99", "-O0", size, "main.c", "m.c", "-o", "run", "-lm", "-lpthread"]
    subprocess.run(command, cwd=tmp_path, check=True)
    X = np.random.default_rng(1).normal(0, 1, (20, model.network.inputs))
    ended = subprocess.run([tmp_path / "run"], input=X.tobytes(), capture_output=True, check=True)
    np.testing.assert_allclose(np.frombuffer(ended.stdout), model.predict(X), rtol=1e-9, atol=1e-12)


BOTH_WAYS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "m.h"

int main(void)
{
    COLUMNS x[M_INPUTS];
    real y[2][M_OUTPUTS];
    while (fread(x, sizeof *x, M_INPUTS, stdin) == M_INPUTS) {
        double *workspace = malloc(sizeof(double) * M_WORKSPACE);
        if (!workspace)
            return 1;
        memset(workspace, 255, sizeof(double) * M_WORKSPACE); /* none of these is a number */
        m_forward_work(x, y[0], workspace);
        m_forward(x, y[1]);
        fwrite(y, sizeof(real), 2 * M_OUTPUTS, stdout);
        memset(workspace, 255, sizeof(double) * M_WORKSPACE);
        PREDICT
        free(workspace);
    }
    return 0;
}
"""
PREDICTIONS = {
    "classes": "if (m_predict(x) != m_predict_work(x, workspace)) return 2;",
    "intervals": "real ends[4];\n        m_interval(x, ends, ends + 1);\n"
    "        m_interval_work(x, ends + 2, ends + 3, workspace);\n"
    "        if (memcmp(ends, ends + 2, 2 * sizeof(real)) || !(ends[0] < ends[1])) return 2;",
    "several labels": "int z[2][M_OUTPUTS];\n        m_predict(x, z[0]);\n        m_predict_work(x, z[1], workspace);\n"
    "        if (memcmp(z[0], z[1], sizeof z[0])) return 2;",
}


@needs_compiler
@pytest.mark.parametrize(
    ("name", "predict"),
    [
        ("classes", "classes"),
        ("classes, float32", "classes"),
        ("few numbers", "classes"),
        ("several labels", "several labels"),
        ("few intervals", "intervals"),
        ("small team", ""),
        ("embedded texts, float32", ""),
    ],
)
def test_both_forms_answer_the_same_within_the_workspace(name: str, predict: str, written: Written, tmp_path: Path):
    """Sanitizers see each access outside the workspace, which begins as something that is no number."""
    model, header = written(name, tmp_path)
    columns = "double" if "const double *x" in header else "real"
    main = BOTH_WAYS.replace("PREDICT", PREDICTIONS.get(predict, "")).replace("COLUMNS", columns)
    (tmp_path / "main.c").write_text(main)
    inputs, outputs = number(header, "INPUTS"), number(header, "OUTPUTS")
    dtype = model.network.dtype
    X = np.random.default_rng(1).integers(0, 3, (40, inputs)).astype(dtype if columns == "real" else np.float64)
    ended = subprocess.run([compiled(tmp_path)], input=X.tobytes(), capture_output=True, check=False)
    assert not ended.returncode, ended.stderr.decode()
    answers = np.frombuffer(ended.stdout, dtype).reshape(len(X), 2, outputs)
    assert np.isfinite(answers).all()
    assert answers[:, 0].tobytes() == answers[:, 1].tobytes()
