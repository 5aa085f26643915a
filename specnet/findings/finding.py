"""Findings: a sentence about a run, and changes of its spec as a remedy.

Most functions return changes of a spec for a remedy. They are empty if the spec as written has no setting to change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from specnet.errors import Path
from specnet.files.plain_data import Plain, checked, toml_key, toml_value
from specnet.findings.evidence import Evidence
from specnet.spec.resolving.graph import Node

Severity = Literal["error", "warning"]
"""``error``: the run failed its purpose; ``warning``: something to look at."""
Changes = Mapping[str, Any]
"""New values of settings by dotted path, such as ``training.epochs``."""


@dataclass(frozen=True)
class Finding:
    """A problem of a run, with a remedy.

    Attributes
    ----------
    code : str
        Name of the rule, such as ``rate-too-high``.
    severity : "error" or "warning"
    sentence : str
        Observation, with its numbers.
    changes : mapping
        Settings to change; empty if none are advised.
    words : str
        Advice in words, in addition to the changes or instead of them.
    effect : str
        Measured or expected effect of the changes, as a sentence; empty if it is unknown.
    """

    code: str
    severity: Severity
    sentence: str
    changes: Changes
    words: str = ""
    effect: str = ""

    @property
    def settings(self) -> list[str]:
        """The changes in the notation of a spec, such as ``training.epochs = 500``."""
        return [f"{path} = {toml_value(value)}" for path, value in self.changes.items()]

    @property
    def remedy(self) -> str:
        """The advice as one text: settings, words, or settings followed by words."""
        return "; ".join(part for part in (", ".join(self.settings), self.words) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data for ``findings.json``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "changes": dict(self.changes),
            "words": self.words,
            "effect": self.effect,
        }


class _Record(Plain, extra="ignore"):
    code: str
    severity: Severity
    sentence: str
    remedy: str
    changes: dict[str, Any]
    words: str | None = None
    effect: str = ""


def read_finding(record: Any) -> Finding:
    """Return a finding, given its record by `Finding.as_dict`; records of earlier versions have no words and no effect.

    Raises
    ------
    FileError
        If the record is invalid.
    """
    read = checked(_Record.model_validate, record, "the record of a finding is")
    found = Finding(read.code, read.severity, read.sentence, read.changes, effect=read.effect)
    words = read.remedy.removeprefix(found.remedy).removeprefix("; ") if read.words is None else read.words
    return replace(found, words=words)


LEARNING_RATE = "training.optimizer.learning_rate"
FAR_FROM_DEFAULT = 100
"""A learning rate above this multiple of the optimizer's default is not worth a trial."""
LEAST_UNITS = 16
"""Smallest number of units in a hidden layer that is worth a trial."""


def other_rate(evidence: Evidence, factor: float) -> Changes:
    """Return a change that multiplies the learning rate by a factor, rounded to two digits."""
    stepping = evidence.network.spec.training.optimizer.stepping
    return {} if stepping is None else {LEARNING_RATE: float(f"{stepping.learning_rate * factor:.2g}")}


def lower_rate(evidence: Evidence, factor: float = 1 / 10, most: float = math.inf) -> Changes:
    """Return a change to the learning rate times a factor, at most `most`, or to the default if that is far lower.

    A rate that is thousands of times too high would still be hundreds of times too high after the remedy.
    """
    changes, stepping = other_rate(evidence, factor), evidence.network.spec.training.optimizer.stepping
    default = None if stepping is None else type(stepping).model_fields["learning_rate"].default
    if default is not None and changes[LEARNING_RATE] > FAR_FROM_DEFAULT * default:
        return {LEARNING_RATE: default}
    return {key: min(rate, most) for key, rate in changes.items()}


def standardized_columns(evidence: Evidence) -> Changes:
    """Return changes that append `standardize` to the preprocessing.

    There are none if the preprocessing has this step, has groups of columns, or is the default of a table.
    """
    written = evidence.written("network", "preprocessing")
    steps = list(written) if isinstance(written, list | tuple) else [] if written is None else [written]
    names = [step.get("type") if isinstance(step, dict) else step for step in steps]
    if None in names or "standardize" in names or (evidence.has_table and written is None):
        return {}
    return {"network.preprocessing": [*steps, "standardize"]}


def ignored_columns(evidence: Evidence, names: Sequence[str]) -> Changes:
    """Return changes that ignore columns of a table; none for other data."""
    features = evidence.written("data", "features")
    if not evidence.has_table:
        return {}
    if features is not None:
        return {"data.features": [name for name in features if name not in names]}
    return {f"data.columns.{toml_key(name)}": "ignore" for name in names}


def usual_weights(evidence: Evidence) -> Changes:
    """Return changes to the default initializer for all layers that have another one."""
    pairs = [(layer, *evidence.initializers(layer)) for layer in evidence.layers]
    return _with_weights(evidence, [(layer, usual) for layer, name, usual in pairs if name != usual])


def smaller_weights(evidence: Evidence) -> Changes:
    """Return changes from he_normal, the default of rectifiers, to lecun_normal, which has half its variance."""
    large = [layer for layer in evidence.layers if evidence.initializers(layer)[0] == "he_normal"]
    return _with_weights(evidence, [(layer, "lecun_normal") for layer in large])


def _with_weights(evidence: Evidence, weights: Iterable[tuple[Node, str | None]]) -> Changes:
    """Return changes of weight initializers; if a spec has the legacy generator, to similar ones that it can draw."""
    changes: dict[str, Any] = {}
    for layer, name in weights:
        initializer: Any = name
        if evidence.network.spec.random_generator == "legacy":
            scale = 2.0 if name == "he_normal" else 1.0
            initializer = {"type": "variance_scaling", "scale": scale, "distribution": "untruncated_normal"}
        if (path := evidence.path(layer, "weight_initializer")) is not None:
            changes.setdefault(dotted(path), initializer)
    return changes


def zero_biases(evidence: Evidence) -> Changes:
    """Return changes to biases of 0 for the layers whose bias initializer the spec sets to another value."""
    paths = dict.fromkeys(path for _, path in _settable(evidence, "bias_initializer"))
    return {dotted(path): "zeros" for path in paths if evidence.written(*path) not in (None, "zeros")}


def more_units(evidence: Evidence) -> Changes:
    """Return changes that triple the units of each hidden layer, up to a power of two; or add a first hidden layer."""
    if not evidence.hidden:
        return _first_hidden_layer(evidence)
    settable = _settable(evidence, "units")
    sizes = ((path, 2 ** math.ceil(math.log2(3 * layer.size))) for layer, path in settable)
    return _with_items(evidence, ((path, max(LEAST_UNITS, size)) for path, size in sizes))


def fewer_units(evidence: Evidence) -> Changes:
    """Return changes that halve the units of each hidden layer."""
    settable = _settable(evidence, "units")
    return _with_items(evidence, ((path, layer.size // 2) for layer, path in settable if layer.size > 1))


def rectifiers(evidence: Evidence) -> Changes:
    """Return changes to relu for all hidden layers with another activation, and to weights that suit relu."""
    others = [(layer, path) for layer, path in _settable(evidence, "activation") if not evidence.is_rectified(layer)]
    changes = _with_items(evidence, ((path, "relu") for _, path in others))
    paths = [evidence.path(layer, "weight_initializer") for layer, _ in others]
    weights = {dotted(path): "he_normal" for path in paths if path is not None and evidence.written(*path) is not None}
    return {**changes, **weights} if changes and evidence.network.spec.random_generator != "legacy" else changes


def _settable(evidence: Evidence, setting: str) -> list[tuple[Node, Path]]:
    """Return the hidden layers for which the spec contains a setting, each with the setting's path."""
    paths = [(layer, evidence.path(layer, setting)) for layer in evidence.hidden]
    return [(layer, path) for layer, path in paths if path is not None]


def _first_hidden_layer(evidence: Evidence) -> Changes:
    network = evidence.written("network") or {}
    if "layer_sizes" in network:
        first, *rest = network["layer_sizes"]
        changes: dict[str, Any] = {"network.layer_sizes": [first, LEAST_UNITS, *rest]}
    elif "hidden_layer_sizes" in network:
        changes = {"network.hidden_layer_sizes": [LEAST_UNITS]}
    else:
        return {}
    activations = network.get("activations")
    if isinstance(activations, list | tuple):
        changes["network.activations"] = ["relu", *activations]
    return changes


def _with_items(evidence: Evidence, items: Iterable[tuple[Path, Any]]) -> Changes:
    """Return changes that set values at paths; items of the same list become one change of the list."""
    changes: dict[str, Any] = {}
    for path, value in items:
        *before, last = path
        whole = evidence.written(*before)
        if isinstance(last, int) and isinstance(whole, list | tuple):
            changed = changes.setdefault(dotted(tuple(before)), list(whole))
            changed[last] = value
        else:
            changes[dotted(path)] = value
    return changes


def dotted(path: Path) -> str:
    """Return a path in the notation of ``--set``."""
    return ".".join(map(str, path))
