"""The C export: clean for compilers and sanitizers, without heap or state, whatever the labels are."""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from specnet import ExportError, Model, export
from specnet.compiler import Value, maximum
from specnet.exporting.export_proof import TOLERANCES, answers_of, probe_rows
from specnet.exporting.formula import LONGEST
from specnet.exporting.model_program import Program
from specnet.exporting.targets.c import TARGET
from specnet.parts.activations.base import Activation
from specnet.parts.initializers import ConstantWeights
from specnet.parts.parameters import ParameterBlock, per_feature
from tests.exporting.models import DTYPES, dense, every_model, exported, labelled, layered, named
from tests.exporting.tools import COMPILER, needs_compiler
from tests.model.models import make_model
from tests.texts.pinned import Refused

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
STRICT = ("-Wconversion", "-Wdouble-promotion", "-Wfloat-conversion", "-Wshadow")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CALL = """
    for (int row = 0; row < 256; row++) {{
        real x[{macro}_INPUTS], y[{macro}_OUTPUTS];
        if (fread(x, sizeof(real), {macro}_INPUTS, stdin) != {macro}_INPUTS) return 1;
        {stem}_forward(x, y);
        {predict}
        fwrite(y, sizeof(real), {macro}_OUTPUTS, stdout);
    }}
"""


def compiled(folder: Path, *flags: str) -> Path:
    """Compile all C files of a folder into one program, with the sanitizers that the compiler has."""
    assert COMPILER is not None
    for extra in (SANITIZERS, []):
        command = [
            COMPILER,
            *FLAGS,
            *STRICT,
            *extra,
            *flags,
            *map(str, folder.glob("*.c")),
            "-o",
            str(folder / "run"),
            "-lm",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if not ended.returncode:
            return folder / "run"
        assert "san" in ended.stderr, ended.stderr
    raise AssertionError(ended.stderr)


def render_c(model: Model, path: Path) -> None:
    """Write an export that is compared with its model elsewhere."""
    for each, content in TARGET.render(TARGET.program(model, model.network.dtype), path).items():
        each.write_bytes(content)


def check_in_one_program(models: Sequence[Model], dtype: str, folder: Path) -> None:
    """Compare exports with their models, compiled and linked into one program, in which their names must not clash."""
    calls, headers, rows, expected = [], [], [], []
    for number, model in enumerate(models):
        stem, program = f"net{number}", TARGET.program(model, np.dtype(dtype))
        for path, content in TARGET.render(program, folder / f"{stem}.c").items():
            path.write_bytes(content)
        header = (folder / f"{stem}.h").read_text()
        predict = f"{stem}_predict(x);" if f"{stem}_predict(const real *x);" in header else ""
        headers.append(f'#include "{stem}.h"')
        calls.append(CALL.format(macro=stem.upper(), stem=stem, predict=predict))
        probes, _ = probe_rows(program)
        rows.append(probes.X.astype(dtype).tobytes())
        expected.append(answers_of(program, probes).outputs)
    includes = "\n".join(["#include <stdio.h>", *headers])
    (folder / "main.c").write_text(f"{includes}\nint main(void)\n{{\n{''.join(calls)}    return 0;\n}}\n")
    ended = subprocess.run([compiled(folder)], input=b"".join(rows), capture_output=True, check=False)
    assert not ended.returncode, ended.stderr.decode()
    found = np.frombuffer(ended.stdout, dtype)
    for outputs in expected:
        answers, found = found[: outputs.size].reshape(outputs.shape), found[outputs.size :]
        np.testing.assert_allclose(answers, outputs, rtol=0, atol=TOLERANCES[dtype] * max(1, np.abs(outputs).max()))
    assert not len(found)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_clean_for_sanitizers_in_one_program(dtype, tmp_path):
    # Models whose errors follow their answers answer as others do.
    models = [make() for name, kind, make in every_model() if kind == dtype and "errors" not in name]
    check_in_one_program(models, dtype, tmp_path)


WIDTHS = [[1, 8, 3, 1], [4, 7, 9, 17, 8, 2], [5, 16, 1, 11, 10], [6, 25, 7, 1, 4], [2, 5, 1]]


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("use_bias", [True, False])
def test_products_of_any_size(use_bias, tmp_path):
    """Four inputs and eight outputs at a time, and what is left of both."""
    models = []
    for inputs, *units in WIDTHS:
        layers = [dense(each, activation="tanh", use_bias=use_bias) for each in units]
        models.append(layered(*layers, input_size=inputs))
    check_in_one_program(models, "float64", tmp_path)
    helped = ["static void dense(" in (tmp_path / f"net{number}.c").read_text() for number in range(len(WIDTHS))]
    assert helped == [max(units) >= 8 for _, *units in WIDTHS]


@pytest.mark.slow
def test_no_heap_no_state_no_names_outside(tmp_path):
    for _, dtype, make in every_model():
        program = TARGET.program(make(), np.dtype(dtype))
        source = TARGET.render(program, tmp_path / "net.c")[tmp_path / "net.c"].decode()
        assert not re.search(r"\b(malloc|calloc|realloc|alloca|free)\b", source)
        outside = [line for line in source.splitlines() if re.match(r"[a-z]", line)]
        assert outside
        for line in outside:
            assert re.match(r"static const |static \w+ \w+\(|(\w+ |const char \*)net_(forward|predict)(_work)?\(", line)
        statics = re.findall(r"^\s*static (.*?)[\w]+\[", source, re.M)
        assert all(kind.startswith("const ") for kind in statics)


@needs_compiler
def test_labels_of_any_text(tmp_path):
    labels = sorted(['a"b', "back\\slash", "??/", "line\nbreak", "tab\t", "Zürich", "日本", "%s", "", "\x7f1", "'"])
    exported(labelled(labels), "c", tmp_path / "labels.c")
    assert all(text.isascii() for text in re.findall(r'"(?:\\.|[^"\\])*"', (tmp_path / "labels.c").read_text()))


@needs_compiler
def test_the_smallest_and_the_largest_integer_are_labels(tmp_path):
    exported(labelled([-(2**63), -1, 2**63 - 1]), "c", tmp_path / "m.c")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("2 moons-5.c", "network_2_moons_5"),
        ("3 d.c", "network_3_d"),
        ("__x.c", "x"),
        ("_.c", "network"),
        ("日本.c", "network"),
        ("a b.c", "a_b"),
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
    (tmp_path / "main.cpp").write_text(
        '#include "m.h"\n'
        "int main() { real x[M_INPUTS] = {}, y[M_OUTPUTS]; m_forward(x, y); return m_predict(x) == 5; }\n"
    )
    for command in (
        [COMPILER, *FLAGS, "-c", "m.c", "-o", "m.o"],
        ["c++", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "main.cpp", "m.o", "-o", "run", "-lm"],
        ["./run"],
    ):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not ended.returncode, ended.stderr


COLUMNS = (
    "plain",
    "*/ int x;",
    "/* open",
    "two\nlines",
    "ends with \\",
    "??/",
    "Zürich 日本",
    "turned \u202e",
    "*??/",
    "what???/",
)


@needs_compiler
def test_the_header_says_which_column_is_which(tmp_path):
    exported(named(COLUMNS), "c", tmp_path / "m.c")
    header = (tmp_path / "m.h").read_text(encoding="utf-8")
    (block,) = re.findall(r"/\* The columns:\n(.*?)\n\*/", header, re.DOTALL)
    shown = ("plain", "* / int x;", "/ * open", "two\\nlines", "ends with \\", "? ?/", "Zürich 日本", "turned \\u202e")
    assert [line.strip() for line in block.split("\n")] == [
        f"x[{n}] {name}" for n, name in enumerate((*shown, "*? ?/", "what? ? ?/"))
    ]
    assert (
        "The columns" not in TARGET.render(program_of(make_model("value")), tmp_path / "n.c")[tmp_path / "n.h"].decode()
    )


def program_of(model: Model) -> Program:
    return TARGET.program(model, model.network.dtype)


def forward_of(model: Model) -> str:
    """Return the statements of the function that computes the outputs."""
    source = TARGET.render(program_of(model), Path("m.c"))[Path("m.c")].decode()
    (body,) = re.findall(r"^void m_forward_work\([^)]*\)\n\{\n(.*?)^\}", source, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(body)


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


def test_a_network_of_classes_as_it_is_written():
    assert forward_of(make_model("classes", "float32")) == SOFTMAX


def test_values_are_computed_where_they_belong():
    body = forward_of(make_model("values"))
    assert body.endswith(
        "        y[i] += layers_1_weight[j * 2 + i] * a1[j];\n"
        "}\n"
        "// target_preprocessing\n"
        "for (int i = 0; i < 2; i++)\n"
        "    y[i] = y[i] * target_preprocessing_0_0_scale[i] + target_preprocessing_0_0_mean[i];\n"
    )


LAYERS = [
    {"type": "batch_normalization"},
    dense(4, activation="tanh"),
    dense(4, activation="exponential", use_bias=False),
    {"type": "layer_normalization"},
    dense(1, activation="tanh"),
]


def test_functions_of_c_are_called_in_place():
    source = TARGET.render(program_of(layered(*LAYERS)), Path("m.c"))[Path("m.c")].decode()
    assert "a1[i] = tanh(a1[i]);" in source
    assert "a0[i] = exp(a0[i]);" in source
    assert "y[0] = tanh(y[0]);" in source
    assert not re.search(r"static real \w+\(real", source)


@pytest.mark.slow
def test_what_was_folded_is_called_by_what_it_does():
    source = TARGET.render(program_of(layered(*LAYERS)), Path("m.c"))[Path("m.c")].decode()
    assert "static const real layers_0_factor[3]" in source
    for _, dtype, make in every_model():
        files = TARGET.render(TARGET.program(make(), np.dtype(dtype)), Path("m.c"))
        assert not re.search(r"constant_\d", files[Path("m.c")].decode())


def test_a_whole_right_hand_side_is_no_variable():
    body = forward_of(layered(*LAYERS))
    assert not re.search(r"const real (\w+) = .*;\n\s*\w+\[\w+\] = \1;", body)
    line = "a0[i] = (x[i] - layers_0_running_mean[i]) * layers_0_factor[i] + layers_0_shift[i];"
    assert line in body
    assert len(line) > LONGEST + len("a0[i] = ")


class Leaning(Activation):
    """x times a number that is learned for each feature, and that a C compiler takes for a type."""

    type: Literal["leaning"] = "leaning"

    def own_parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        return (per_feature("double", size, ConstantWeights(value=0.5)),)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        return maximum(x, x * own[0])


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


def test_without_a_compiler_the_export_says_that_it_was_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("specnet.exporting.targets.c.shutil.which", lambda name: None)
    written = export(make_model("value"), "c", tmp_path / "m.c")
    assert written.proof.difference is None
    assert str(written.proof) == "not compared with the model: no C compiler (cc, gcc or clang)"
    assert (tmp_path / "m.c").is_file()


@needs_compiler
def test_what_does_not_compile_is_not_kept(tmp_path, monkeypatch, refused: Refused):
    monkeypatch.setattr(Program, "meaning", "*/ nonsense /*", raising=True)
    with refused(ExportError, varying=r"(?s)compile.*"):
        export(make_model("value"), "c", tmp_path / "m.c")
    assert not list(tmp_path.iterdir())
