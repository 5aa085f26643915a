"""Specs, and what follows from each.

A case of ``specs/`` has

- its ``text``, which has a training with its ``loss``, mean squared error, unless it has a training of its own; what
  it is parsed with: settings to ``set``, and ``limits``; and what it is resolved with: ``given`` sizes.
- what comes of it: values of keys, ``resolved``, and keys that are ``absent``; ``sizes`` of inputs and outputs, and
  the number of ``columns`` where it differs; types of ``activations`` of all layers, and of ``initializers``, those
  of weight and bias, of dense ones; ``origins`` of values. Or codes of ``mistakes``, which may be followed by the
  setting to blame, and by line, column and length.
"""

import re
from typing import Any

import pytest

import specnet
from specnet import Limits, Resolved, SpecError, resolve
from specnet.spec import parse_sweep
from specnet.spec.origins import ResolvedValue, origins_of
from tests.cases.reading import cases
from tests.texts.pinned import Pinned

ABSENT = object()


def read(case: dict[str, Any]) -> tuple[specnet.Spec, Resolved]:
    text = case["text"]
    if "training" not in text:
        text += "\n[training]\nloss" if re.search(r"^\[", text, re.MULTILINE) else "\ntraining.loss"
        text += f" = '{case.get('loss', 'mse')}'"
    limits = Limits(**case["limits"]) if "limits" in case else None
    spec = specnet.parse_spec(f"{text}\n", overrides=case.get("set", ()), limits=limits)
    return spec, resolve(spec, **case.get("given", {}))


def where(problem: Any, expected: str) -> str:
    """Return the code of a mistake, and its setting and position if these are expected."""
    if " " not in expected:
        return problem.code
    setting = [problem.source] if (problem.source or "").startswith("--set") else []
    return " ".join([problem.code, *map(str, setting), ":".join(map(str, problem.position or ()))])


def written(place: Any) -> str:
    start = place.value.column - 1
    line: str = place.text.lines[place.value.line - 1]
    return line[start : start + place.value.length]


def origin(value: ResolvedValue, spec: specnet.Spec) -> str:
    """Return an origin in words: what it is, which setting, what is written there, and what that replaced."""
    words = [value.origin]
    if value.setting is not None:
        words.append(f"#{1 + spec.document.overrides.index(value.setting)}")
    if value.location is not None:
        words.append(written(value.location))
    if value.replaced is not None:
        words += ["for", written(value.replaced)]
    return " ".join(words)


def at(document: Any, key: str) -> Any:
    for step in key.split("."):
        document = document[int(step)] if isinstance(document, list) else document.get(step, ABSENT)
    return document


@pytest.mark.parametrize("name", cases("specs"))
def test_a_spec(name: str, pinned: Pinned):
    case = cases("specs")[name]
    if "mistakes" in case:
        with pytest.raises(SpecError) as caught:
            read(case)
        expected = case["mistakes"]
        assert [where(*each) for each in zip(caught.value.diagnostics, expected, strict=True)] == expected
        pinned(caught.value)
        return
    spec, found = read(case)
    document = found.spec.model_dump(mode="json", exclude_none=True)
    network, layers = document["network"], document["network"]["layers"]
    assert {key: at(document, key) for key in case.get("resolved", {})} == case.get("resolved", {})
    assert all(at(document, key) is ABSENT for key in case.get("absent", ()))
    assert (network["input_size"], network["output_size"]) == (found.inputs, found.outputs)
    if "sizes" in case:
        assert [found.inputs, found.outputs] == case["sizes"]
        assert found.columns == case.get("columns", found.inputs)
        assert found.nodes[0].input_sizes == (found.inputs,)
    if "activations" in case:
        assert [layer["activation"]["type"] for layer in layers if "activation" in layer] == case["activations"]
    if "initializers" in case:
        kinds = ("weight_initializer", "bias_initializer")
        dense = [layer for layer in layers if layer["type"] == "dense"]
        found_types = [" ".join(layer.get(kind, {"type": "none"})["type"] for kind in kinds) for layer in dense]
        assert found_types == case["initializers"]
    if "origins" in case:
        values = {value.key: value for value in origins_of(spec, found.spec)}
        assert {key: origin(values[key], spec) for key in case["origins"]} == case["origins"]
    assert resolve(found.spec) == found


@pytest.mark.parametrize("name", cases("sweeps"))
def test_a_sweep(name: str, pinned: Pinned):
    """A case has properties of the ``sweep`` of its ``text``, or codes of ``mistakes``."""
    case = cases("sweeps")[name]
    if "mistakes" in case:
        with pytest.raises(SpecError) as caught:
            parse_sweep(case["text"] + "\n")
        assert [problem.code for problem in caught.value.diagnostics] == case["mistakes"]
        pinned(caught.value)
        return
    sweep = parse_sweep(case["text"] + "\n").sweep
    assert {key: getattr(sweep, key) for key in case["sweep"]} == case["sweep"]
