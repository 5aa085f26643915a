"""Functions in JavaScript that a module has if its model needs them."""

from collections.abc import Mapping

from specnet.compiler import Operation, operations
from specnet.exporting.formula import GROUPED, LINEAR

_DENSE = """
// y = bias + weight times x; a weight's row belongs to an input.
function dense(inputs, outputs, weight, bias, x, y) {
  for (let j = 0; j < outputs; j++) y[j] = bias ? bias[j] : 0;
  for (let i = 0, row = 0; i < inputs; i++, row += outputs) {
    for (let j = 0; j < outputs; j++) y[j] += weight[row + j] * x[i];
  }
}
"""
_ERF = """
// The error function: a series of positive terms near 0, elsewhere the continued fraction of its complement
// (Abramowitz and Stegun 7.1.6 and 7.1.14), each to 1e-15. The square of the high part of x is exact, so that
// exp(-x * x) does not grow its rounding.
function erf(x) {
  const size = Math.abs(x), high = Math.fround(size);
  if (size > 6 || x !== x) return x !== x ? x : Math.sign(x);
  const bell = Math.exp(-high * high) * Math.exp((high - size) * (high + size));
  let rest = 0;
  if (size < 2) {
    for (let k = 44; k > 0; k--) rest = ((1 + rest) * (2 * x * x)) / (2 * k + 1);
    const slope = (2 / Math.sqrt(Math.PI)) * x * bell;
    return slope + slope * rest;
  }
  for (let k = 60; k > 0; k--) rest = k / 2 / (size + rest);
  return Math.sign(x) * (1 - bell / (Math.sqrt(Math.PI) * (size + rest)));
}
"""
_GROUPED = """
// y = weight times x for each of some groups, whose numbers take turns.
function grouped(groups, inputs, outputs, weight, x, y) {
  for (let j = 0; j < outputs; j++) {
    for (let g = 0; g < groups; g++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += weight[(j * inputs + i) * groups + g] * x[i * groups + g];
      y[j * groups + g] = sum;
    }
  }
}
"""
HELPERS: Mapping[Operation, str] = {LINEAR: _DENSE, GROUPED: _GROUPED, operations.ERF: _ERF}
"""By the operation that calls for it."""
