"""The parts that specnet brings, by kind and name, and the settings of each that tests try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from specnet.parts.registry import built_in_registry

REGISTRY = built_in_registry()
find = REGISTRY.find


def names(kind: str) -> list[str]:
    """Return the names of a kind, in the order of the documentation, without aliases."""
    return [part.part_name() for part in REGISTRY.of_kind(kind)]


def figures(kind: str) -> Any:
    """Return what other libraries compute for parts of a kind, as tests/figures has recorded it."""
    return json.loads((Path(__file__).parent / "figures" / f"{kind}{'es' if kind == 'loss' else 's'}.json").read_text())


_DRAWN = {"type": "random_normal", "stddev": 1.0}
_DENSE = {"type": "dense", "weight_initializer": _DRAWN}
_PERIODIC = {"type": "periodic_embedding", "frequencies": 2, "size": 2, "frequency_stddev": 0.3}
_PIECEWISE = {"type": "piecewise_linear_embedding"}
_FURTHER: dict[str, list[dict[str, Any]]] = {
    "loss": [
        {"type": "binary_crossentropy", "label_smoothing": 0.2},
        {"type": "binary_focal_crossentropy", "gamma": 1.5, "alpha": 0.6},
        {"type": "categorical_focal_crossentropy", "gamma": 1.5, "alpha": 0.6},
    ],
    "layer": [
        {**_DENSE, "units": 4, "bias_initializer": _DRAWN},
        {**_DENSE, "units": 2, "activation": "prelu", "bias_initializer": _DRAWN},
        {**_DENSE, "units": 2, "use_bias": False, "parametrization": "ntk"},
        {**_DENSE, "units": 2, "parametrization": "ntk", "bias_initializer": _DRAWN},
        {"type": "activation", "activation": {"type": "elu", "parametric": True}},
        {"type": "dropout", "rate": 0.4},
        {"type": "gaussian_noise", "stddev": 0.3},
        *({"type": "scale", "use_shift": use_shift} for use_shift in (False, True)),
        *({"type": f"{kind}_normalization", "epsilon": e} for kind in ("batch", "layer") for e in (1e-2, 1e-5)),
        {"type": "embedding", "categories": [3, 4], "size": [2, 3], "columns": [2, 0]},
        {"type": "embedding", "categories": [4], "size": [2], "columns": [1], "keep_others": False},
        *({**_PERIODIC, "variant": variant} for variant in ("plr", "plr_lite", "pbld")),
        {"type": "periodic_embedding", "variant": "pbld", "frequencies": 1, "size": 2, "columns": [2, 1]},
        *({**_PIECEWISE, "bins": bins, "columns": [0, 2]} for bins in (1, 2, 3)),
        {**_PIECEWISE, "bins": 4, "size": 3, "keep_others": False},
        {**_PIECEWISE, "bins": 3, "columns": [1], "strategy": "tree"},
    ],
}
"""Settings that no figures have; of layers all, for inputs of three columns."""
_ROWS = {
    "activation": ("elementwise", "across"),
    "loss": ("losses",),
    "optimizer": ("paths",),
    "schedule": ("courses",),
}


def settings(kind: str) -> list[dict[str, Any]]:
    """Return the fields of parts of a kind that tests try, each with its type: first those that have figures."""
    known = figures(kind) if kind in _ROWS else {}
    return [row[kind] for key in _ROWS.get(kind, []) for row in known[key]] + _FURTHER.get(kind, [])


def variants(kind: str) -> list[Any]:
    """Return parts of a kind in these settings, each once."""
    return list(dict.fromkeys(find(kind, fields["type"]).model_validate(fields) for fields in settings(kind)))


def part(kind: str, fields: str | dict[str, Any], **more: Any) -> Any:
    """Return a part as a spec names it: by its name, or by a table with a type; and with further fields."""
    given = {"type": fields} if isinstance(fields, str) else fields
    found = find(kind, given["type"])
    return found.model_validate(_fixed({**given, **more, "type": found.part_name()}))


def _fixed(value: Any) -> Any:
    """Return a value with tuples for lists, as a document has them."""
    if isinstance(value, dict):
        return {key: _fixed(each) for key, each in value.items()}
    return tuple(map(_fixed, value)) if isinstance(value, list) else value
