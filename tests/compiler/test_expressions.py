"""Expressions mean what their tree means, with no pair of parentheses too many."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from specnet import compiler as c
from specnet.compiler.expressions import ARITHMETIC, Text, c_number, extreme_form


def random_tree(rng: np.random.Generator, depth: int) -> tuple[Text, Any]:
    """A text, and its tree: the name of an operation with its operands' trees, or the name of a variable."""
    if not depth or rng.random() < 0.2:
        name = str(rng.choice(list("abcd")))
        return Text(name), name
    operation: c.Operation = list(ARITHMETIC)[rng.integers(5)]
    operands = [random_tree(rng, depth - 1) for _ in range(1 if operation is c.value.NEGATIVE else 2)]
    text = ARITHMETIC[operation].write([text for text, _ in operands])
    return text, (operation.name, *(tree for _, tree in operands))


def read(node: ast.expr) -> Any:
    """The tree that Python reads."""
    names = {"Add": "add", "Sub": "subtract", "Mult": "multiply", "Div": "divide", "USub": "negative"}
    match node:
        case ast.Name(name):
            return name
        case ast.UnaryOp(operator, operand):
            return (names[type(operator).__name__], read(operand))
        case ast.BinOp(left, operator, right):
            return (names[type(operator).__name__], read(left), read(right))
    raise AssertionError(ast.dump(node))


@pytest.mark.parametrize("seed", range(200))
def test_the_tree_that_was_written_is_read_and_each_pair_of_parentheses_is_needed(seed: int):
    text, tree = random_tree(np.random.default_rng(seed), 5)
    assert read(ast.parse(text.code, mode="eval").body) == tree
    assert "--" not in text.code
    opened: list[int] = []
    for place, sign in enumerate(text.code):
        if sign == "(":
            opened.append(place)
        elif sign == ")":
            first = opened.pop()
            without = text.code[:first] + text.code[first + 1 : place] + text.code[place + 1 :]
            is_decrement = "--" in without  # in C
            assert is_decrement or read(ast.parse(without, mode="eval").body) != tree, (text.code, without)


def test_an_extreme_with_a_number_is_a_choice_in_parentheses():
    chosen = extreme_form(c.operations.MAXIMUM, 1).write([Text("a + b"), c_number(0.0)])
    assert ARITHMETIC[c.value.MULTIPLY].write([chosen, Text("c")]).code == "(a + b < 0.0 ? 0.0 : a + b) * c"
    assert (
        extreme_form(c.operations.MINIMUM, 0).write([c_number(np.float32(2)), Text("x")]).code == "x > 2.0f ? 2.0f : x"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(np.inf, "INFINITY"), (-np.inf, "-INFINITY"), (np.nan, "NAN"), (0.1, "0.1"), (np.float32(0.1), "0.1f")],
)
def test_a_number_in_c(number: float, text: str):
    assert c_number(number).code == text
