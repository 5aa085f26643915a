"""Losses of epochs are sums over their batches, however many of these are added at once."""

import numpy as np
import pytest

from specnet.training.steps.trainer import EpochSoFar


@pytest.mark.parametrize(("per_epoch", "before"), [(1, 0), (4, 0), (4, 3), (7, 1)])
def test_several_epochs_have_the_means_of_batches_added_one_by_one(per_epoch, before):
    random = np.random.default_rng(per_epoch + before)
    losses, weights = random.lognormal(sigma=5, size=(2, 20 * per_epoch))
    weights[: 2 * per_epoch] = 0  # all rows of the first two epochs count for nothing
    one_by_one, at_once, wanted = EpochSoFar(), EpochSoFar(), []
    for loss, weight in zip(losses.tolist(), weights.tolist(), strict=True):
        one_by_one.add(loss, weight)
        if at_once.batches < before:
            at_once.add(loss, weight)
        if one_by_one.batches == per_epoch:
            wanted.append(one_by_one.mean())
            one_by_one.set()
    assert at_once.means(losses[before:], weights[before:], per_epoch).tolist() == wanted
    assert at_once == EpochSoFar()
