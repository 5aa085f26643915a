"""The corpus: wrong specs of each stage, with the places of their mistakes, and good ones.

In ``corpus/`` a line ``==== name`` begins a case. ``⟦code⟧`` stands in front of the place of each mistake and is no
part of the spec. Cases that no editor can show, or nobody wants to read, are generated here.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from specnet.spec.reading.reader import MAX_TOKENS

_MARK = re.compile(r"⟦([a-z-]+)⟧")
_CASE = re.compile(r"^==== (.+)\n", re.MULTILINE)

REST = """
[network]
layer_sizes = [2, 3, 1]

[training]
loss = 'mean_squared_error'
"""
"""What makes a spec of a text that ends before its first table."""


SWEPT = """
[data]
type = 'iris'
split.validation_size = 0.2

[network]
hidden_layer_sizes = [4]

[training]
loss = 'categorical_crossentropy'
metrics = ['accuracy']
early_stopping = true

"""
"""What makes a spec of a table of a sweep."""


class Mistake(NamedTuple):
    """What an error must say: code, line and column."""

    code: str
    line: int
    column: int


@dataclass(frozen=True)
class Case:
    """A spec as its writer wrote it, and its mistakes at their places."""

    text: str
    mistakes: tuple[Mistake, ...]


def marked(text: str) -> Case:
    """Return the text without its marks, and the mistakes that these say."""
    mistakes, plain, end = [], "", 0
    for mark in _MARK.finditer(text):
        plain += text[end : mark.start()]
        end = mark.end()
        mistakes.append(Mistake(mark[1], plain.count("\n") + 1, len(plain) - plain.rfind("\n")))
    return Case(plain + text[end:], tuple(mistakes))


def load(name: str) -> dict[str, str]:
    """Return the cases of a file by their names."""
    content = (Path(__file__).parent / "corpus" / f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = _CASE.split(content)
    return {name: text.strip("\n") + "\n" for name, text in zip(parts[::2], parts[1::2], strict=True)}


def swept(name: str) -> dict[str, str]:
    """Return the cases of a file of tables of sweeps."""
    return {name: text if text.startswith("{") else SWEPT + text for name, text in load(name).items()}


TEXTS = load("texts") | {
    "null-character": f'name = "a⟦syntax⟧\0b"\n{REST}',
    "json-ends": '{"seed": 0\n⟦syntax⟧',
    "surrogate-in-the-text": f'name = "⟦encoding⟧\ud800"\n{REST}',
    "digits": f"seed = ⟦number-range⟧{'9' * 5000}\n{REST}",
    "json-digits": '{"seed":\n  ⟦number-range⟧' + "9" * 5000 + "}\n",
    "too-many-values": f"seed = [{'1,' * (MAX_TOKENS - 2)}⟦too-large⟧1]\n",
    "too-many-lines": "\n" * MAX_TOKENS + "⟦too-large⟧\n",
    "nested-lists": f"seed = {'[' * 64}⟦too-deep⟧[\n",
    "nested-tables": '{"a":' * 64 + '{⟦too-deep⟧"a":0' + "}" * 65 + "\n",
    "dotted-key": f"{'a.' * 64}⟦too-deep⟧a = 1\n",
    "header-and-key": f"[{'a.' * 39}a]\n{'b.' * 24}⟦too-deep⟧b = 1\n",
    "dotted-keys-of-tables": f"{'a.' * 39}a = {{ {'b.' * 24}⟦too-deep⟧b = 1 }}\n",
}
"""Wrong as texts. ``list-alone`` is a file ``.json``."""

DOCUMENTS = load("documents") | swept("sweeps") | {"long-name": f"name = ⟦name⟧'{'a' * 101}'\n{REST}"}
"""Wrong by what each key may hold, and by how keys go together."""

NETWORKS = load("networks") | {
    "too-many-layers": REST.replace("[2,", f"⟦too-many-layers⟧[{'1, ' * 1000}"),
    "too-many-hidden-layers": REST.replace(
        "layer_sizes = [2,", f"hidden_layer_sizes = ⟦too-many-layers⟧[{'1, ' * 999}"
    ),
    "too-many-written-layers": REST.replace(
        "layer_sizes = [2, 3, 1]", "layers = ⟦too-many-layers⟧[" + "'add'," * 1001 + "]"
    ),
}
"""Wrong by sizes, names, and what goes with what."""

SEARCHES = swept("searches") | {
    "spec-itself": SWEPT.replace("'accuracy'", "⟦unknown-part⟧'acuracy'") + "[sweep]\ntrials = 0\n",
    "no-sweep": f"⟦missing-key⟧{SWEPT}",
    "sweep-is-no-table": f"sweep = ⟦wrong-type⟧3\n{SWEPT}",
    "folds-beside-folds-of-an-ensemble": SWEPT.replace("split.validation_size = 0.2\n", "").replace(
        "early_stopping = true",
        "ensemble = 5\n[sweep]\nfolds = ⟦field-clash⟧3\n[sweep.space]\n'training.l2' = [0.0, 0.1]",
    ),
    "no-validation-rows": SWEPT.replace(".validation_size = 0.2", " = ⟦no-validation⟧{ test_size = 0.2 }").replace(
        "early_stopping = true", "[sweep.space]\n'training.l2' = [0.0, 0.1]"
    ),
    "no-data-to-sweep": REST.replace("\n", "⟦missing-key⟧\n", 1) + "[sweep.space]\n'training.l2' = [0.0, 0.1]",
}
"""Wrong by what a sweep would put into the spec, which only a sweep looks at, or by what a sweep needs."""

GOOD = load("good") | {
    "windows-lines": REST.replace("\n", "\r\n"),
    "byte-order-mark": f"\N{BYTE ORDER MARK}{REST}",
    "named-at-length": f"name = '{'a' * 100}'\n{REST}",
    "brackets-in-a-comment": f"{REST}# {'[' * 100}\n",
}

CODES = {
    stage: set(codes.split())
    for stage, codes in {
        "text": """
        duplicate-key encoding key not-finite null number-range syntax too-deep too-large wrong-type
    """,
        "document": """
        bias-initializer bias-rate bounds-order column-count duplicate-column embedding-size expectation field-clash
        length misplaced-key missing-key name network-form out-of-bounds parametric schedule space-key split too-large
        unknown-key unknown-part unknown-value weight-initializer wrong-type
    """,
        "network": """
        activation-count batch-size bias-initializer calibration class-weight duplicate-name ensemble expectation
        feature-names layer-inputs layer-place layer-sizes legacy-initializer loss-target
        metric-task monotone no-validation optimizer-option
        output-activation output-size reserved-name size-clash target-preprocessing teacher
        too-many-layers too-many-parameters too-much-memory unknown-column unknown-layer
        unread-layer
    """,
        "unsayable": """
        bias-rate bounds-order column-count duplicate-column embedding-size field-clash not-finite number-range
        parametric schedule split too-large weight-initializer
    """,
    }.items()
}
"""The codes that each stage has for texts without parts of their own, and those of both that no JSON Schema can say."""


def files() -> list[Path]:
    """Return the reference specs."""
    folder = Path(__file__).parents[2] / "specs"
    return sorted([*folder.glob("*.toml"), *folder.glob("*.json")])
