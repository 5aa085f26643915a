"""The C export: clean for compilers and sanitizers, without heap or state, whatever the labels are."""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import ExportError, Model, export
from specnet.exporting.export_proof import TOLERANCES
from specnet.model import ErrorQuantiles
from specnet.parts import maximum, per_feature
from tests.exporting import models
from tests.exporting.models import DTYPES, built, dense, ensemble_of, every_model, exported, labelled, layered
from tests.exporting.tables import table_model
from tests.exporting.tools import COMPILER, FLAGS, STRICT, answers_of_c, needs_compiler, probe, render
from tests.model.models import make_model
from tests.registry import find
from tests.texts.pinned import Refused

CALL = """
    for (int row = 0; row < 256; row++) {{
        real x[{macro}_INPUTS], y[{macro}_OUTPUTS];
        if (fread(x, sizeof(real), {macro}_INPUTS, stdin) != {macro}_INPUTS) return 1;
        {stem}_forward(x, y);
        {predict}
        fwrite(y, sizeof(real), {macro}_OUTPUTS, stdout);
    }}
"""


def check_in_one_program(made: Sequence[Model], dtype: str, folder: Path) -> None:
    """Compare exports with their models, compiled and linked into one program, in which their names must not clash."""
    calls, includes, rows, expected = [], ["#include <stdio.h>"], [], []
    for number, model in enumerate(made):
        stem = f"net{number}"
        header = render(model, folder / f"{stem}.c")[f"{stem}.h"]
        predict = f"{stem}_predict(x);" if f"{stem}_predict(const real *x);" in header else ""
        includes.append(f'#include "{stem}.h"')
        calls.append(CALL.format(macro=stem.upper(), stem=stem, predict=predict))
        probes, _, outputs = probe(model)
        rows.append(probes.X.astype(dtype).tobytes())
        expected.append(outputs)
    main = "\n".join([*includes, "int main(void)\n{", *calls, "    return 0;\n}\n"])
    found = np.frombuffer(answers_of_c(folder, main, b"".join(rows)), dtype)
    for outputs in expected:
        answers, found = found[: outputs.size].reshape(outputs.shape), found[outputs.size :]
        np.testing.assert_allclose(answers, outputs, rtol=0, atol=TOLERANCES[dtype] * max(1, np.abs(outputs).max()))
    assert not len(found)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_clean_for_sanitizers_in_one_program(dtype, tmp_path):
    # Models whose errors follow their answers answer as others do.
    made = [make() for name, kind, make in every_model() if kind == dtype and "errors" not in name]
    check_in_one_program(made, dtype, tmp_path)


WIDTHS = [[1, 8, 3, 1], [4, 7, 9, 17, 8, 2], [5, 16, 1, 11, 10], [6, 25, 7, 1, 4], [2, 5, 1]]


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("use_bias", [True, False])
def test_products_of_any_size(use_bias, tmp_path):
    """Four inputs and eight outputs at a time, and what is left of both."""
    made = []
    for inputs, *units in WIDTHS:
        layers = [dense(each, activation="tanh", use_bias=use_bias) for each in units]
        made.append(layered(*layers, input_size=inputs))
    check_in_one_program(made, "float64", tmp_path)
    helped = ["static void dense(" in (tmp_path / f"net{number}.c").read_text() for number in range(len(WIDTHS))]
    assert helped == [max(units) >= 8 for _, *units in WIDTHS]


@pytest.mark.slow
def test_no_heap_no_state_no_names_outside_and_no_numbered_constants(tmp_path):
    for _, _, make in every_model():
        source = render(make(), tmp_path / "net.c")["net.c"]
        assert not re.search(r"\b(malloc|calloc|realloc|alloca|free)\b", source)
        outside = [line for line in source.splitlines() if re.match(r"[a-z]", line)]
        assert outside
        for line in outside:
            assert re.match(r"static const |static \w+ \w+\(|(\w+ |const char \*)net_(forward|predict)(_work)?\(", line)
        statics = re.findall(r"^\s*static (.*?)[\w]+\[", source, re.M)
        assert all(kind.startswith("const ") for kind in statics)
        assert not re.search(r"constant_\d", source)


@needs_compiler
def test_labels_of_any_text_and_the_smallest_and_largest_integers(tmp_path):
    labels = sorted(['a"b', "back\\slash", "??/", "line\nbreak", "tab\t", "Zürich", "日本", "%s", "", "\x7f1", "'"])
    exported(labelled(labels), "c", tmp_path / "labels.c")
    assert all(text.isascii() for text in re.findall(r'"(?:\\.|[^"\\])*"', (tmp_path / "labels.c").read_text()))
    exported(labelled([-(2**63), -1, 2**63 - 1]), "c", tmp_path / "m.c")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "stem"),
    [
        *(("2 moons-5.c", "network_2_moons_5"), ("3 d.c", "network_3_d"), ("__x.c", "x"), ("_.c", "network")),
        *(("日本.c", "network"), ("a b.c", "a_b")),
        *((f"{word}.c", word) for word in ("int", "main", "real", "dense", "y", "x", "run", "NULL", "tanh", "math2")),
    ],
)
def test_names_follow_the_file_and_are_c(file, stem, tmp_path):
    path = tmp_path / file
    export(make_model("value"), "c", path)
    header = path.with_suffix(".h").read_text()
    assert f"void {stem}_forward(const real *x, real *y);" in header
    assert f"#define {stem.upper()}_INPUTS 3" in header
    defined = re.findall(r"^(?:#ifndef|#define|void|real|static const \w+|static real) (\w+)", header, re.MULTILINE)
    assert not any(re.match("_|[0-9]", name) for name in defined)


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None or shutil.which("c++") is None, reason="there is no C++ compiler")
def test_the_header_is_read_by_cpp(tmp_path):
    export(make_model("classes, integers"), "c", tmp_path / "m.c")
    body = "real x[M_INPUTS] = {}, y[M_OUTPUTS]; m_forward(x, y); return m_predict(x) == 5;"
    (tmp_path / "main.cpp").write_text(f'#include "m.h"\nint main() {{ {body} }}\n')
    for command in (
        [str(COMPILER), *FLAGS, "-c", "m.c", "-o", "m.o"],
        ["c++", *FLAGS[1:], "main.cpp", "m.o", "-o", "run", "-lm"],
        ["./run"],
    ):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not ended.returncode, ended.stderr


COLUMNS = {
    "plain": "plain",
    "*/ int x;": "* / int x;",
    "/* open": "/ * open",
    "two\nlines": "two\\nlines",
    "ends with \\": "ends with \\",
    "??/": "? ?/",
    "Zürich 日本": "Zürich 日本",
    "turned \u202e": "turned \\u202e",
    "*??/": "*? ?/",
    "what???/": "what? ? ?/",
}
"""Names, and how a comment shows them."""


@needs_compiler
def test_the_header_says_which_column_is_which(tmp_path):
    exported(models.named([*COLUMNS]), "c", tmp_path / "m.c")
    (block,) = re.findall(r"/\* The columns:\n(.*?)\n\*/", (tmp_path / "m.h").read_text("utf-8"), re.DOTALL)
    lines = [line.strip() for line in block.split("\n")]
    assert lines == [f"x[{n}] {shown}" for n, shown in enumerate(COLUMNS.values())]
    assert "The columns" not in render(make_model("value"), tmp_path / "n.c")["n.h"]


@pytest.fixture
def forward_of(tmp_path: Path) -> Callable[[Model], str]:
    """Return a function that returns the statements of the function that computes a model's outputs."""

    def forward_of(model: Model) -> str:
        source = render(model, tmp_path / "m.c")["m.c"]
        (body,) = re.findall(r"^void m_forward_work\([^)]*\)\n\{\n(.*?)^\}", source, re.DOTALL | re.MULTILINE)
        return textwrap.dedent(body)

    return forward_of


SOFTMAX = """\
real a0[3];
real a1[4];
(void)workspace;
// preprocessing
for (int i = 0; i < 3; i++)
    a0[i] = (real)(((double)x[i] - preprocessing_0_0_mean[i]) / preprocessing_0_0_scale[i]);
// layers.0: dense, 3 → 4, relu
for (int i = 0; i < 4; i++)
    a1[i] = layers_0_bias[i];
for (int j = 0; j < 3; j++) {
    for (int i = 0; i < 4; i++)
        a1[i] += layers_0_weight[j * 4 + i] * a0[j];
}
for (int i = 0; i < 4; i++)
    a1[i] = relu(a1[i]);
// layers.1: dense, 4 → 3, softmax
for (int i = 0; i < 3; i++)
    y[i] = layers_1_bias[i];
for (int j = 0; j < 4; j++) {
    for (int i = 0; i < 3; i++)
        y[i] += layers_1_weight[j * 3 + i] * a1[j];
}
real largest = -INFINITY;
for (int i = 0; i < 3; i++)
    largest = largest < y[i] ? y[i] : largest;
for (int i = 0; i < 3; i++)
    y[i] = expf(y[i] - largest);
real total = 0.0f;
for (int i = 0; i < 3; i++)
    total += y[i];
const real t = 1.0f / total;
for (int i = 0; i < 3; i++)
    y[i] = y[i] * t;
"""


VALUES = """\
        y[i] += layers_1_weight[j * 2 + i] * a1[j];
}
// target_preprocessing
for (int i = 0; i < 2; i++)
    y[i] = y[i] * target_preprocessing_0_0_scale[i] + target_preprocessing_0_0_mean[i];
"""


def test_a_network_as_it_is_written(forward_of: Callable[[Model], str]):
    assert forward_of(make_model("classes", "float32")) == SOFTMAX
    assert forward_of(make_model("values")).endswith(VALUES)


def test_functions_of_c_are_called_in_place_and_a_whole_right_hand_part_is_no_variable(forward_of, tmp_path: Path):
    exponential = dense(4, activation="exponential", use_bias=False)
    normalized = [{"type": "batch_normalization"}, dense(4, activation="tanh"), exponential]
    body = forward_of(layered(*normalized, {"type": "layer_normalization"}, dense(1, activation="tanh")))
    source = (tmp_path / "m.c").read_text()
    # What was folded is called by what it does; this line is longer than others may be.
    line = "a0[i] = (x[i] - layers_0_running_mean[i]) * layers_0_factor[i] + layers_0_shift[i];"
    for text in ("a1[i] = tanh(a1[i]);", "a0[i] = exp(a0[i]);", "y[0] = tanh(y[0]);", line):
        assert text in body
    assert "static const real layers_0_factor[3]" in source
    assert not re.search(r"static real \w+\(real", source)
    assert not re.search(r"const real (\w+) = .*;\n\s*\w+\[\w+\] = \1;", body)


Leaning = (
    models.activation(  # x times a number that is learned for each feature, and that a C compiler takes for a type
        "leaning",
        maximum,
        own_parameters=lambda self, size: (per_feature("double", size, find("initializer", "constant")(value=0.5)),),
        value=lambda self, x, own: maximum(x, x * own[0]),
    )
)


@needs_compiler
def test_what_a_plugin_learns_may_be_called_anything(tmp_path):
    exported(layered(dense(2, activation="leaning"), parts=[Leaning]), "c", tmp_path / "m.c")
    assert "static real leaning(real x, real double_2)" in (tmp_path / "m.c").read_text()


@needs_compiler
def test_a_float64_model_can_be_stored_as_float32(tmp_path):
    written = export(make_model("binary"), "c", tmp_path / "m.c", float32=True)
    assert written.dtype == "float32"
    assert "typedef float real;" in (tmp_path / "m.h").read_text()
    assert 0 < written.proof.difference < 2e-6


@needs_compiler
def test_what_does_not_compile_is_not_stored(tmp_path, change: Callable[..., None], refused: Refused):
    change("c", "render", lambda files, *_: {path: content + b"nonsense" for path, content in files.items()})
    with refused(ExportError, varying=r"(?s)compile.*"):
        export(make_model("value"), "c", tmp_path / "m.c")
    assert not list(tmp_path.iterdir())


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
    "learning": lambda: built(dense(60, activation="tanh"), dense(2), dtype="float64", seed=1, input_size=30),
    "learning, float32": lambda: built(dense(20, activation="gelu"), dense(30), seed=1, input_size=40),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Export one of the models, compared with it on 256 rows, and return it with its header."""

    @cache
    def once(name: str) -> tuple[Model, dict[str, str]]:
        folder, model = tmp_path_factory.mktemp("exports"), MODELS[name]()
        level, learn = 0.5 if "intervals" in name else None, name.startswith("learning")
        proof = export(model, "c", folder / "m.c", interval=level, learn=learn, derivatives=learn).proof
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
    command = [str(COMPILER), *FLAGS, *STRICT, "-O0", "-fstack-usage", "-c", "m.c", "-o", "m.o"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr
    used = {
        re.sub(r".*:", "", place): int(size)
        for place, size, _ in (line.split("\t") for line in next(tmp_path.glob("*.su")).read_text().splitlines())
    }
    bytes_ = 8 * number(header, "WORKSPACE")
    names = {
        f"m_{each}"
        for each in ("forward", "predict", "interval", "gradient")
        if f" m_{each}_work(" in header.replace("*", " ")
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
    "few intervals": "real ends[4];\n        m_interval(x, ends, ends + 1);\n"
    "        m_interval_work(x, ends + 2, ends + 3, workspace);\n"
    "        if (memcmp(ends, ends + 2, 2 * sizeof(real)) || !(ends[0] < ends[1])) return 2;",
    "several labels": "int z[2][M_OUTPUTS];\n        m_predict(x, z[0]);\n        m_predict_work(x, z[1], workspace);\n"
    "        if (memcmp(z[0], z[1], sizeof z[0])) return 2;",
}
ALIKE = ("classes, float32", "few numbers")
"""Other models of classes."""


@needs_compiler
@pytest.mark.parametrize(
    "name", [*PREDICTIONS, "classes, float32", "few numbers", "small team", "embedded texts, float32"]
)
def test_both_forms_answer_the_same_within_the_workspace(name: str, written: Written, tmp_path: Path):
    """Sanitizers see each access outside the workspace, which begins as something that is no number."""
    model, header = written(name, tmp_path)
    columns = "double" if "const double *x" in header else "real"
    main = BOTH_WAYS.replace("PREDICT", PREDICTIONS.get("classes" if name in ALIKE else name, "")).replace(
        "COLUMNS", columns
    )
    inputs, outputs = number(header, "INPUTS"), number(header, "OUTPUTS")
    dtype = model.network.dtype
    X = np.random.default_rng(1).integers(0, 3, (40, inputs)).astype(dtype if columns == "real" else np.float64)
    answers = np.frombuffer(answers_of_c(tmp_path, main, X.tobytes()), dtype).reshape(len(X), 2, outputs)
    assert np.isfinite(answers).all()
    assert answers[:, 0].tobytes() == answers[:, 1].tobytes()


@needs_compiler
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_the_math_library_is_called_only_for_functions(tmp_path: Path):
    for activation, called in (("relu", set()), ("tanh", {"tanh"})):
        model = built(dense(9, activation=activation), dense(2), seed=1, input_size=3, preprocessing=["standardize"])
        render(model, tmp_path / "m.c")
        command = [str(COMPILER), "-std=c99", "-O1", "-c", "m.c", "-o", "m.o"]
        subprocess.run(command, cwd=tmp_path, check=True)
        found = subprocess.run(["nm", "-u", "m.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert {name.strip("_f") for name in found.split()[1::2]} == {name.strip("_f") for name in called}


def test_the_header_counts_bytes_and_operations(tmp_path: Path):
    model = layered(dense(7, activation="relu"), dense(2))
    header = render(model, tmp_path / "m.c")["m.h"]
    assert f"{8 * (3 * 7 + 7 + 7 * 2 + 2)} bytes of constants, 8 bytes of workspace." in header
    assert f"take {3 * 7 + 7 + 7 * 2} operations" in header
