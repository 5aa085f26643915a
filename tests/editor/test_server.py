"""An editor gets the mistakes that `validate` reports, at the same positions, and their edits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lsprotocol import types

from specnet import SpecError
from specnet.spec.searching import parse_whole
from tests.editor.client import Editor
from tests.spec.cases import DOCUMENTS, GOOD, NETWORKS, SEARCHES, TEXTS, marked
from tests.texts.calling import called

SPECS = Path(__file__).parents[2] / "specs"
MOONS = (SPECS / "moons.toml").read_text(encoding="utf-8")
WRONG = MOONS.replace('"relu"', '"rleu"').replace("learning_rate", "lr").replace("20000", '"20000"')
CORPUS = {name: marked(text).text for name, text in (TEXTS | DOCUMENTS | NETWORKS | SEARCHES).items()}
NO_TEXT = ("list-alone", "surrogate-in-the-text", "no-sweep", "no-data-to-sweep")
"""Cases that no editor sends, and those that are only wrong for a sweep."""
TABLE = """\
[data]
type = "csv"
path = "rows.csv"
target = "kind"
[network]
hidden_layer_sizes = [4]
[training]
loss = "binary_crossentropy"
"""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("editor")
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(100_000, 5)).round(3)
    kinds = np.where(numbers[:, 0] > 0, "yes", "no")
    rows = "".join(f"{','.join(map(str, row))},{kind}\n" for row, kind in zip(numbers.tolist(), kinds, strict=True))
    (folder / "large.csv").write_text(f"a,b,c,d,e,kind\n{rows}")
    (folder / "rows.csv").write_text("a,b,kind\n" + "1,2,no\n3,4,yes\n" * 30)
    opened = Editor(folder)
    yield opened
    opened.close()


def of_validate(text: str) -> list[tuple[str, str, int, int]]:
    """Return code, message, line and column in characters of each mistake that `validate` reports."""
    try:
        parse_whole(text)
    except SpecError as error:
        found = []
        for each in error.diagnostics:
            assert each.position is not None
            message = f"{each.message}\n{each.hint}" if each.hint else each.message
            found.append((each.code, message, each.position.line, each.position.column))
        return found
    return []


def of_editor(text: str, diagnostics: list[types.Diagnostic]) -> list[tuple[str, str, int, int]]:
    lines = text.removeprefix("\N{BYTE ORDER MARK}").split("\n")
    found = []
    for each in diagnostics:
        before = lines[each.range.start.line].encode("utf-16-le")[: 2 * each.range.start.character]
        column = len(before.decode("utf-16-le")) + each.range.start.character - len(before) // 2 + 1
        found.append((str(each.code), each.message, each.range.start.line + 1, column))
    return found


@pytest.mark.slow
def test_each_mistake_of_validate_is_at_the_same_position(editor: Editor):
    for name, text in CORPUS.items():
        if name not in NO_TEXT:
            found = editor.opens(text, f"{name}.json" if text.lstrip().startswith("{") else f"{name}.toml")
            assert of_editor(text, found) == of_validate(text), name


def test_right_specs_have_no_mistakes_and_other_files_none_either(editor: Editor):
    for name in ("reference", *list(GOOD)[:5]):
        text = GOOD.get(name, MOONS)
        found = [each for each in editor.opens(text, f"{name}.toml") if each.severity == types.DiagnosticSeverity.Error]
        assert [each.message for each in found if "rows" not in each.message and "such file" not in each.message] == []
    assert editor.opens('[project]\nname = "x"\nversion = 3\n', "pyproject.toml") == []
    assert [each.code for each in editor.opens("", "new.toml")] == ["missing-key"] * 2


def test_each_hint_that_says_what_to_write_is_an_edit(editor: Editor):
    assert len(editor.opens(WRONG, "wrong.toml")) == 3
    found = editor.actions()
    assert {'Write "relu"', 'Write "learning_rate"', "Write 20000", "Fix what is certain"} <= found.keys()
    assert found['Write "relu"'].is_preferred
    assert len(editor.applies(found['Write "relu"'].edit)) == 2
    assert editor.applies(editor.actions()["Fix what is certain"].edit) == []
    assert editor.text == MOONS


def test_what_has_no_effect_is_removed_and_what_is_missing_is_set(editor: Editor):
    text = "# 🦆\n" + MOONS[MOONS.index("[data]") :]
    lbfgs = text.replace('{ type = "sgd", learning_rate = 0.003 }', '"lbfgs" # 🦆\nclip_norm = 1.0')
    assert "remove it" in editor.opens(lbfgs, "lbfgs.toml")[0].message
    editor.applies(editor.actions()["Remove it"].edit)
    assert "clip_norm" not in editor.text
    assert '"lbfgs" # 🦆\n' in editor.text


def test_unsaved_texts_are_checked_with_the_columns_of_the_data(editor: Editor):
    assert editor.opens(TABLE, "table.toml") == []
    (found,) = editor.writes(TABLE.replace('"kind"', '"kin"'))
    assert (found.range.start.line, found.range.start.character) == (3, 9)
    assert "kind" in found.message
    (found,) = editor.writes(TABLE.replace("binary_crossentropy", "mse"))
    assert found.range.start.line == 7
    (missing,) = editor.writes(TABLE.replace("rows.csv", "row.csv"))
    assert missing.range.start.line == 2


def test_diagnostics_come_at_once(editor: Editor):
    def seconds(first: str, second: str) -> float:
        times = []
        for text in (first, second) * 4:
            start = time.perf_counter()
            editor.writes(text)
            times.append(time.perf_counter() - start)
        return min(times)

    editor.opens(MOONS, "moons.toml")
    assert seconds(WRONG, MOONS) < 0.1
    large = TABLE.replace("rows.csv", "large.csv")
    editor.opens(large, "large.toml")
    assert seconds(large.replace("[4]", "[8]"), large) < 0.3


def test_a_verb_is_a_command(editor: Editor):
    (editor.folder / "saved.toml").write_text(TABLE)
    assert editor.opens(TABLE, "saved.toml") == []
    command = editor.commands()["Show its layers"]
    params = types.ExecuteCommandParams(command.command, command.arguments)
    editor.wait(editor.client.workspace_execute_command_async(params))
    assert editor.messages[-1].startswith("specnet show: ")


RECORDED = [
    ("[data]",), "ty", ("type",), '"make_m', ("make_moons",),
    "\n[net", ("network",), "\nhidden", ("hidden_layer_sizes",), ("[]",),
    "\n[tr", ("training",), "\n", ("loss",), '"', ("binary_crossentropy",), "\nep", ("epochs",), ("100",),
    "\nopt", ("optimizer",), "{ ", ("type",), ("sgd",), ", lea", ("learning_rate",), ("0.01",), " }\n",
    "me", ("metrics",), "[", ("accuracy",), "]\n",
]  # fmt: skip
"""Keystrokes, and the labels of accepted completions."""


def test_completion_alone_writes_a_spec_that_runs(editor: Editor):
    found = editor.opens("", "typed.toml")
    for action in RECORDED:
        if isinstance(action, tuple):
            found = editor.accepts(*action)
        else:
            for key in action:
                found = editor.writes(editor.text + key)
    assert found == []
    file = editor.folder / "typed.toml"
    file.write_text(editor.text)
    called("run", file, "--out", editor.folder / "typed", "--quiet", "--no-report").ok()


def test_columns_labels_and_files_are_completed(editor: Editor):
    editor.opens(TABLE, "table.toml")
    editor.writes(TABLE + "class_weight = { ")
    assert {"no", "yes"} <= editor.offers().keys()
    editor.writes('[data]\ntype = "csv"\npath = "')
    assert {"large.csv", "rows.csv"} <= editor.offers().keys()
    editor.accepts("rows.csv")
    editor.writes(editor.text + "\ntarget = ")
    assert {"a", "b", "kind"} <= editor.offers().keys()
    editor.writes(editor.text + '"kind"\ncolumns = { ')
    assert {"a", "b"} <= editor.offers().keys()
    editor.writes('[network]\nlayers = [\n  { type = "dense", ')
    assert editor.offers()["units"].detail == "needed"
    editor.writes(editor.text + "un # ")
    assert editor.offers() == {}


def test_keys_and_parts_have_meanings_and_values_in_force(editor: Editor):
    editor.opens(MOONS, "moons.toml")
    rate = editor.explains("learning_rate")
    assert "number \\> 0" in rate
    assert "training.optimizer.learning_rate = 0.003` (file line 27)" in rate
    assert "default: `0.01`" in rate
    loss = editor.explains('"binary_crossentropy"')
    assert "softplus(z)" in loss
    assert "`training.loss.label_smoothing = 0.0` (default)" in loss


def test_sizes_rows_and_time_stand_behind_lines(editor: Editor):
    editor.opens(MOONS, "moons.toml")
    found = editor.remarks()
    assert "240 train + 60 test" in {text for _, text in found}
    assert "→ 1   21 parameters" in {text for _, text in found}  # 2·5 + 5 + 5·1 + 1
    assert any(text.startswith("engine ") for _, text in found)
    (line,) = (number for number, text in found if text.startswith("→"))
    assert MOONS.splitlines()[line].startswith("layer_sizes")


def test_positions_are_in_utf_16_for_each_editor(editor: Editor):
    capabilities = editor.capabilities
    assert capabilities.position_encoding in (None, types.PositionEncodingKind.Utf16)
