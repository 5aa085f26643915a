"""The C export: clean for compilers and sanitizers, without heap or state, whatever the labels are."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from specnet.exporting import ExportError, export
from specnet.exporting.program import Program
from specnet.exporting.proof import TOLERANCES, answers_of, probe_rows
from specnet.exporting.targets.c import FLAGS, TARGET
from specnet.model import Model
from tests.exporting.models import DTYPES, every_model
from tests.model.models import make_model

COMPILER = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
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
        command = [COMPILER, *FLAGS, *extra, *flags, *map(str, folder.glob("*.c")), "-o", str(folder / "run"), "-lm"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if not ended.returncode:
            return folder / "run"
        assert "san" in ended.stderr, ended.stderr
    raise AssertionError(ended.stderr)


@pytest.mark.parametrize("dtype", DTYPES)
def test_clean_for_sanitizers_in_one_program(dtype, tmp_path):
    """All exports of a precision are linked into one program, so their names do not clash either."""
    calls, headers, rows, expected = [], [], [], []
    models = [make() for _, kind, make in every_model() if kind == dtype]
    for number, model in enumerate(models):
        stem, program = f"net{number}", TARGET.program(model, np.dtype(dtype))
        for path, content in TARGET.render(program, tmp_path / f"{stem}.c").items():
            path.write_bytes(content)
        header = (tmp_path / f"{stem}.h").read_text()
        predict = f"{stem}_predict(x);" if f"{stem}_predict(const real *x);" in header else ""
        headers.append(f'#include "{stem}.h"')
        calls.append(CALL.format(macro=stem.upper(), stem=stem, predict=predict))
        X, _ = probe_rows(program)
        rows.append(X.astype(dtype).tobytes())
        expected.append(answers_of(program, X).outputs)
    includes = "\n".join(["#include <stdio.h>", *headers])
    (tmp_path / "main.c").write_text(f"{includes}\nint main(void)\n{{\n{''.join(calls)}    return 0;\n}}\n")
    if COMPILER is None:
        assert_c99_by_eye(tmp_path)
        return
    ended = subprocess.run([compiled(tmp_path)], input=b"".join(rows), capture_output=True, check=False)
    assert not ended.returncode, ended.stderr.decode()
    found = np.frombuffer(ended.stdout, dtype)
    for outputs in expected:
        answers, found = found[: outputs.size].reshape(outputs.shape), found[outputs.size :]
        np.testing.assert_allclose(answers, outputs, rtol=0, atol=TOLERANCES[dtype] * max(1, np.abs(outputs).max()))
    assert not len(found)


def assert_c99_by_eye(folder: Path) -> None:
    """What can be seen without a compiler: brackets that close, and nothing that another file defines too."""
    for path in folder.glob("*.[ch]"):
        text = re.sub(r'"(\\.|[^"\\])*"', "", path.read_text())
        assert text.count("{") == text.count("}")
        assert text.count("(") == text.count(")")


def test_no_heap_no_state_no_names_outside(tmp_path):
    for _, dtype, make in every_model():
        program = TARGET.program(make(), np.dtype(dtype))
        source = TARGET.render(program, tmp_path / "net.c")[tmp_path / "net.c"].decode()
        assert not re.search(r"\b(malloc|calloc|realloc|alloca|free)\b", source)
        outside = [line for line in source.splitlines() if re.match(r"[a-z]", line)]
        assert outside
        for line in outside:
            assert re.match(r"static const |static \w+ \w+\(|(\w+ |const char \*)net_(forward|predict)\(", line)
        statics = re.findall(r"^\s*static (.*?)[\w]+\[", source, re.M)
        assert all(kind.startswith("const ") for kind in statics)


def test_labels_of_any_text(tmp_path):
    labels = sorted(['a"b', "back\\slash", "??/", "line\nbreak", "tab\t", "Zürich", "日本", "%s", "", "\x7f1", "'"])
    model = labelled(labels)
    written = export(model, "c", tmp_path / "labels.c")
    assert written.proof.difference is not None or COMPILER is None
    assert all(text.isascii() for text in re.findall(r'"(?:\\.|[^"\\])*"', (tmp_path / "labels.c").read_text()))


def labelled(labels: list) -> Model:
    from specnet import build

    spec = {
        "network": {"dtype": "float64", "layer_sizes": [3, len(labels)]},
        "training": {"loss": "categorical_crossentropy"},
    }
    network = build(spec)
    return Model(network, np.random.default_rng(0).normal(size=network.parameter_count), labels=np.array(labels))


def test_the_smallest_and_the_largest_integer_are_labels(tmp_path):
    model = labelled([-(2**63), -1, 2**63 - 1])
    assert export(model, "c", tmp_path / "m.c").proof.difference is not None or COMPILER is None


@pytest.mark.parametrize("label", ["a\0b", "x" * 5000])
def test_labels_that_c_cannot_say_are_refused(label, tmp_path):
    with pytest.raises(ExportError, match="c cannot say the label"):
        export(labelled(["", label]), "c", tmp_path / "m.c")
    assert not list(tmp_path.iterdir())


def test_names_follow_the_file(tmp_path):
    export(make_model("value"), "c", tmp_path / "2 moons-5.c")
    header = (tmp_path / "2 moons-5.h").read_text()
    assert "void _2_moons_5_forward(const real *x, real *y);" in header
    assert "#define _2_MOONS_5_INPUTS 3" in header


def test_a_float64_model_can_be_stored_as_float32(tmp_path):
    written = export(make_model("binary"), "c", tmp_path / "m.c", float32=True)
    assert written.dtype == "float32"
    assert "typedef float real;" in (tmp_path / "m.h").read_text()
    if COMPILER is not None:
        assert 0 < written.proof.difference < 2e-6


def test_without_a_compiler_the_export_says_that_it_was_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("specnet.exporting.targets.c.shutil.which", lambda name: None)
    written = export(make_model("value"), "c", tmp_path / "m.c")
    assert written.proof.difference is None
    assert str(written.proof) == "not compared with the model: no C compiler (cc, gcc or clang)"
    assert "Not compared with the model" in (tmp_path / "m.c").read_text()


def test_what_does_not_compile_is_not_kept(tmp_path, monkeypatch):
    if COMPILER is None:
        return
    monkeypatch.setattr(Program, "meaning", "*/ nonsense /*", raising=True)
    with pytest.raises(ExportError, match="does not compile"):
        export(make_model("value"), "c", tmp_path / "m.c")
    assert not list(tmp_path.iterdir())
