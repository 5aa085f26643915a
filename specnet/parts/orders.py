"""Orders of features: how each follows the monotone columns of a network, and what keeps parameters from changing that.

An order is 0 for a feature that no monotone column moves, 1 for one that never falls while such a column moves in its
direction, and -1 for one that never rises then.
"""

from collections.abc import Sequence
from itertools import groupby

from specnet.compiler import Value, absolute, concatenate, constant, expand

Orders = tuple[int, ...]
"""The order of each feature: 0, 1 or -1."""


def numbers_by_feature(numbers: Sequence[float]) -> Value:
    """Return constant numbers, one for each feature: (features, 1)."""
    runs = [(number, len([*run])) for number, run in groupby(numbers)]
    return concatenate(*(expand(constant(number), (count, 1)) for number, count in runs))


def not_negative(parameter: Value, orders: Orders) -> Value:
    """Return a parameter of each feature (features, 1) with absolute values where the feature has an order."""
    if all(orders):
        return absolute(parameter)
    is_free = numbers_by_feature([not order for order in orders])
    return parameter * is_free + absolute(parameter) * (1 - is_free)
