"""What the recipe has besides where its settings are to be searched."""

from __future__ import annotations

from string import Template

TRIALS = 40
WIDTHS = (64, 128, 256)
"""Units of hidden layers; the recipe's own are among them."""
_RATE_FACTOR, _DECAY_FACTOR = 5, 10
"""How far a range reaches below and above the recipe's own setting."""

_SWEEP = Template("""
# `specnet sweep $file` trains $trials variants of this spec, and keeps the one with the lowest validation loss.
# The test set is used once, for that one.
[sweep]
metric = "validation_loss"              # loss on $rows
trials = $trials

# Keys of this spec, each with a list of values or a range around the value above.
[sweep.space]
"training.optimizer.learning_rate" = $rates
"training.optimizer.weight_decay" = $decays
"$block.0.units" = $widths # of each hidden layer
"$block.2.rate" = { low = 0.0, high = 0.5 }
""")


def sweep_table(file: str, learning_rate: float, weight_decay: float, block: int, rows: str) -> str:
    """Return the table ``[sweep]`` of a recipe, as TOML.

    Parameters
    ----------
    file : str
        The spec's file, as its comments show it.
    learning_rate, weight_decay : float
        The recipe's.
    block : int
        The place of the block of hidden layers in the network.
    rows : str
        The validation rows, for a comment.
    """
    return _SWEEP.substitute(
        file=file,
        trials=TRIALS,
        rows=rows,
        rates=_around(learning_rate, _RATE_FACTOR),
        decays=_around(weight_decay, _DECAY_FACTOR),
        block=f"network.layers.{block}.layers",
        widths=list(WIDTHS),
    )


def _around(value: float, factor: float) -> str:
    low, high = (float(f"{end:.3g}") for end in (value / factor, value * factor))
    return f"{{ low = {low}, high = {high}, log = true }}"
