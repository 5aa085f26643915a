"""Specs that are equal have one hash, whatever tables they hold."""

from typing import Any

import pytest
from pydantic import Field

from specnet import Spec, parse_spec
from specnet.parts.activations import Activation


def spec(**training: Any) -> Spec:
    return parse_spec(
        {"network": {"layer_sizes": [2, 3]}, "training": {"loss": "categorical_crossentropy", **training}}
    )


def test_a_table_of_class_weights_has_a_hash_whatever_its_order():
    first, second = spec(class_weight={"a": 1, "b": 2}), spec(class_weight={"b": 2, "a": 1.0})
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second, spec(class_weight={"a": 2, "b": 1}), spec(class_weight="balanced")}) == 3
    assert hash(first.training) == hash(second.training)


def test_a_default_that_is_written_changes_nothing():
    assert spec(epochs=100) == spec()
    assert hash(spec(epochs=100)) == hash(spec())


class Table(Activation):
    """Holds tables and lists."""

    type: str = "table"
    values: dict[str, list[dict[str, float]]] = Field({}, description="any")


@pytest.mark.parametrize("values", [{}, {"a": []}, {"a": [{"b": 1.0, "c": 2.0}]}])
def test_a_part_with_tables_has_a_hash(values: dict[str, list[dict[str, float]]]):
    assert hash(Table(values=values)) == hash(Table(values={**values}))
