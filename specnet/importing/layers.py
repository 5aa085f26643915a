"""From formulas to layers of a draft."""

from __future__ import annotations

from typing import Any

import numpy as np

from specnet.importing.algebra import CONSTANT, VARIABLE, Formula, TooInvolvedError
from specnet.importing.draft import AFFINE_EPSILON, Draft
from specnet.importing.functions import algebra_of, is_of_rows
from specnet.importing.recognition import Recognized, Recognizer
from specnet.parts.arrays import Array

_FUNCTIONS = {"exp": "exponential", "sigmoid": "sigmoid", "softplus": "softplus", "relu": "relu"}
"""The functions of formulas that are activations by themselves."""


class Layers:
    """Adds layers to a draft that compute formulas.

    Parameters
    ----------
    draft : Draft
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        single = draft.dtype == "float32"
        self.algebra = algebra_of(1e-6 if single else 1e-12)
        self.recognizer = Recognizer(self.algebra, self.rounded)

    def rounded(self, number: float) -> float:
        """Return a number as a spec says it: in the fewest digits that are the same in the network's dtype."""
        return float(str(np.float32(number))) if self.draft.dtype == "float32" else float(number)

    def is_activation(self, source: int, formula: Formula, *, scaled: bool = False) -> bool:
        """Whether a formula of a layer's output is an activation or a normalization, times a factor if `scaled`."""
        found = self.recognizer.recognize(formula, self.draft.size(source))
        if found is None:
            return False
        plain = found.is_plain or found.part["type"] == "layer_normalization"
        return plain or (scaled and not np.any(found.shift))

    def mixture(self, source: int, activation: Formula, share: Array) -> int | None:
        """Return the layer that makes x + share·(f(x) − x) of another layer's output; None where f is not known."""
        size = self.draft.size(source)
        try:
            found = self.recognizer.recognize(activation, size)
        except TooInvolvedError:
            return None
        if found is None or not found.is_plain or not found.is_elementwise:
            return None
        tensors = {**found.tensors, "mixture": share}
        tensors = {name: np.broadcast_to(array, size) for name, array in tensors.items()}
        return self.draft.activation(source, {**found.part, "parametric": True}, tensors)

    def normalize(self, source: int, mean: Array, factor: Array | None, shift: Array | None) -> int:
        """Return the layer that makes (x − mean)·factor + shift of another layer's output."""
        size, epsilon = self.draft.size(source), AFFINE_EPSILON
        scale = np.ones(size) if factor is None else np.broadcast_to(factor, size)
        shift = np.zeros(size) if shift is None else np.broadcast_to(shift, size)
        variance = np.full(size, 1 - epsilon)
        return self.draft.normalization(source, epsilon, scale, shift, np.broadcast_to(mean, size), variance)

    def compute(self, source: int, formula: Formula) -> int:
        """Return the layer whose output is a formula of another layer's output.

        Raises
        ------
        TooInvolvedError
            If no layers here compute it.
        """
        if formula.is_variable:
            return source
        if formula.affine is not None:
            return self.draft.affine(source, *formula.affine)
        if formula.value is not None:
            return self.draft.affine(source, 0.0, formula.value)
        if is_of_rows(formula):
            raise TooInvolvedError
        size = self.draft.size(source)
        found = self.recognizer.recognize(formula, size) or self.recognizer.mixture(formula, size)
        if found is not None:
            return self._place(source, found)
        layer = self._of_affine(source, formula)
        return self._composed(source, formula) if layer is None else layer

    def _place(self, source: int, found: Recognized) -> int:
        size = self.draft.size(source)
        if found.part["type"] == "layer_normalization":
            scale, shift = np.broadcast_to(found.factor, size), np.broadcast_to(found.shift, size)
            return self.draft.add(found.part, [source], {"scale": scale, "shift": shift})
        tensors = {name: np.broadcast_to(array, size) for name, array in found.tensors.items()}
        layer = self.draft.activation(source, found.part, tensors)
        return layer if found.is_plain else self.draft.affine(layer, found.factor, found.shift)

    def _of_affine(self, source: int, formula: Formula) -> int | None:
        """Return an activation of a·x + b, for a and b that stand in the formula; None where it is none."""
        x = self.algebra.x
        for atom in formula.functions():
            inner = atom.argument.affine
            if inner is None or not np.all(inner[0]) or atom.argument.is_variable:
                continue
            factor, shift = map(self.algebra.constant, inner)
            found = self.recognizer.recognize(formula.substituted((x - shift) / factor), self.draft.size(source))
            if found is not None:
                return self._place(self.draft.affine(source, *inner), found)
        return None

    def _composed(self, source: int, formula: Formula) -> int:
        """Return a sum of products of activations."""
        algebra = self.algebra
        affine = {m: number for m, number in formula.terms.items() if m in (VARIABLE, CONSTANT)}
        products = [(m, number) for m, number in formula.terms.items() if m not in affine]
        summands = [self._product(source, monomial, number) for monomial, number in products]
        if VARIABLE in affine:
            summands.append(self.compute(source, algebra.formula(affine)))
        elif affine:
            summands[0] = self.draft.affine(summands[0], 1.0, affine[CONSTANT])
        return summands[0] if len(summands) == 1 else self.draft.add({"type": "add"}, summands)

    def _product(self, source: int, monomial: Any, number: Any) -> int:
        factors: list[int] = []
        for index, power in monomial:
            atom = self.algebra.atoms[index]
            if power < 0 or (atom is not None and atom.function not in _FUNCTIONS):
                raise TooInvolvedError
            factor = source
            if atom is not None:
                inner = self.compute(source, atom.argument)
                factor = self.draft.activation(inner, _FUNCTIONS[atom.function])
            factors += [factor] * power
        product = factors[0] if len(factors) == 1 else self.draft.add({"type": "multiply"}, factors)
        return product if np.ndim(number) == 0 and number == 1 else self.draft.affine(product, number, 0.0)
