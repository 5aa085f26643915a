"""The JavaScript export: a module and its types, and an error function to the last digit."""

import json
import re

import numpy as np
import pytest
from scipy import special

from specnet import export
from tests.exporting.models import dense, exported, labelled, layered, named
from tests.exporting.tools import needs_node, printed_by_node
from tests.model.models import make_model


@pytest.fixture
def javascript_at_home() -> None:
    """Leave the processes of exports as they are."""


@needs_node
def test_the_error_function_is_exact(tmp_path):
    x = np.concatenate([np.linspace(-7, 7, 20001), 10.0 ** np.arange(-300, 2, 3.0), [2, np.nextafter(2, 0), 0]])
    (tmp_path / "x.json").write_text(json.dumps(x.tolist()))
    exported(layered(dense(2, activation="gelu")), "javascript", tmp_path / "m.mjs")
    (erf,) = re.findall(r"^function erf.*?^}", (tmp_path / "m.mjs").read_text(), re.DOTALL | re.MULTILINE)
    script = (
        f"import {{ readFileSync }} from 'node:fs';\n{erf}\n"
        "console.log(JSON.stringify(JSON.parse(readFileSync('x.json')).map(erf)));"
        "if (!Number.isNaN(erf(NaN)) || erf(-Infinity) !== -1 || erf(40) !== 1) throw new Error('edges');"
    )
    np.testing.assert_allclose(printed_by_node(script, tmp_path), special.erf(x), rtol=1e-15, atol=0)


@pytest.mark.slow
def test_a_module_with_types(tmp_path):
    written = export(make_model("classes, text"), "javascript", tmp_path / "m.mjs")
    assert [path.name for path in written.files] == ["m.mjs", "m.d.mts"]
    types = (tmp_path / "m.d.mts").read_text(encoding="utf-8")
    for line in (
        "forward(x: ArrayLike<number>): Float64Array;",
        'predict(x: ArrayLike<number>): "" | "Zürich" | "日本";',
        'labels: readonly ["", "Zürich", "日本"];',
        "inputs: 3;",
    ):
        assert re.search(rf"export (function|const) {re.escape(line)}", types)
    assert "features" not in types
    written = export(make_model("value"), "javascript", tmp_path / "v.js")
    assert [path.name for path in written.files] == ["v.js", "v.d.ts"]
    assert "predict(x: ArrayLike<number>): number;" in (tmp_path / "v.d.ts").read_text()
    export(make_model("multilabel"), "javascript", tmp_path / "several.mjs")
    types = (tmp_path / "several.d.mts").read_text()
    assert "export function predict(x: ArrayLike<number>): (0 | 1)[];" in types
    assert "labels" not in types


@pytest.mark.slow
@needs_node
def test_what_it_exports_and_refuses(tmp_path):
    model = make_model("binary")
    exported(model, "javascript", tmp_path / "m.mjs")
    script = (
        "import * as m from './m.mjs';"
        "const first = m.forward([5, 6, 7]), kept = first[0]; m.forward([1, 2, 3]);"
        "let refused; try { m.forward([1, 2]) } catch (error) { refused = `${error.name}: ${error.message}` }"
        "const answers = [Object.keys(m), first.length, first[0] === kept, first[0], m.predict([5, 6, 7]), refused];"
        "console.log(JSON.stringify(answers));"
    )
    names, length, is_own, output, label, refused = printed_by_node(script, tmp_path)
    assert sorted(names) == ["forward", "inputs", "labels", "outputs", "predict"]
    assert (length, is_own) == (1, True)
    X = np.array([[5, 6, 7]])
    assert output == pytest.approx(model.predict_proba(X)[0, 1], abs=1e-15)
    assert label == model.predict(X)[0]
    assert re.fullmatch("RangeError: x has 2 columns.* 3", refused)


LABELS = [
    "",
    '"',
    "'",
    "\n\r\t",
    "\\",
    "`${x}`",
    "*/",
    "Zürich",
    "日本 😀",
    "a\u2028b\u2029c",
    "\u202eturned",
    "\x7f\x85\ufeff",
]


@pytest.mark.slow
@needs_node
def test_labels_and_columns_of_any_text(tmp_path):
    exported(labelled(sorted(LABELS)), "javascript", tmp_path / "m.mjs")
    exported(named((*LABELS[1:], "last")), "javascript", tmp_path / "n.mjs")
    script = (
        "import { labels } from './m.mjs'; import { features } from './n.mjs';"
        "console.log(JSON.stringify([labels, features]));"
    )
    assert printed_by_node(script, tmp_path) == [sorted(LABELS), [*LABELS[1:], "last"]]
    for name, kept in (("m", "labels"), ("n", "features")):
        lines = (tmp_path / f"{name}.d.mts").read_text(encoding="utf-8").splitlines()
        (line,) = [line for line in lines if line.startswith(f"export const {kept}")]
        found = json.loads(line.removeprefix(f"export const {kept}: readonly ").removesuffix(";"))
        assert found == (sorted(LABELS) if name == "m" else [*LABELS[1:], "last"])
        assert '"日本 😀"' in line
        assert r'"a\u2028b\u2029c"' in line
        assert line.isprintable()


@pytest.mark.slow
def test_the_last_layer_works_where_the_outputs_belong(tmp_path):
    export(make_model("classes"), "javascript", tmp_path / "m.mjs")
    module = (tmp_path / "m.mjs").read_text()
    assert "  dense(4, 3, layers_1_weight, layers_1_bias, a1, y);\n" in module
    assert module.count("new Float64Array(") == 1 + 2 + 6  # y, the scratch, and the tables
    assert "a1[i] = Math.max(a1[i], 0.0);" in module  # no function of its own around the language's
    assert "function relu" not in module
    assert "What layers leave" in module
    export(layered(dense(1)), "javascript", tmp_path / "n.mjs")
    assert "What layers leave" not in (tmp_path / "n.mjs").read_text()
