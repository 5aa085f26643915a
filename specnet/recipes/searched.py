"""What the recipe has besides where its settings are to be searched."""

from __future__ import annotations

from string import Template

TRIALS = 40
WIDTHS = (64, 128, 256)
"""Units of hidden layers; the recipe's own are among them."""
_RATE_FACTOR, _DECAY_FACTOR = 5, 10
"""How far a range reaches below and above the recipe's own setting."""

_SWEEP = Template("""
# `specnet sweep $file` trains this spec, $trials variants of it in all. The best ones become a team, whose answers are
# averaged. The test set is used once, at the end.
[sweep]
metric = "validation_loss"              # loss on $rows
trials = $trials$pruner

# Tried first, after the spec as it is written: settings that were good on other tables. Change them, or add your own.
$as_they_are[[sweep.candidates]]                    # a plain network with strong decay
"network.layers" = [
    { type = "block", repeat = 2, layers = [{ type = "dense", units = 128, activation = "selu" }] },
    { type = "dense",$named units = $outputs },$beside
]
"training.optimizer" = { type = "adamw", learning_rate = 0.003, weight_decay = $plain_decay, schedule = "cosine_decay" }

[[sweep.candidates]]                    # wide
"$block.0.units" = 256

[[sweep.candidates]]                    # narrow
"$block.0.units" = 64
"$block.2.rate" = 0.0

[[sweep.candidates]]                    # a smaller learning rate
"training.optimizer.learning_rate" = $slow

[[sweep.candidates]]                    # a larger learning rate, and more dropout
"training.optimizer.learning_rate" = $fast
"$block.2.rate" = 0.3

[[sweep.candidates]]                    # more weight decay
"training.optimizer.weight_decay" = $strong
$logarithm
# Keys of this spec, each with a list of values or a range around the value above.
[sweep.space]
"training.optimizer.learning_rate" = $rates
"training.optimizer.weight_decay" = $decays
"$block.0.units" = $widths # of each hidden layer
"$block.2.rate" = { low = 0.0, high = 0.5 }
""")


_AS_THEY_ARE = Template("""\
[[sweep.candidates]]                    # numbers as they are, without an embedding
"network.layers" = [
    { type = "scale", learning_rate_factor = 6.0, weight_decay_factor = 0.0 },
    { type = "block", repeat = 3, layers = [
        { type = "dense", units = 128, parametrization = "ntk" },
        { type = "activation", activation = { type = "$activation", parametric = true }, learning_rate_factor = 0.1 },
        { type = "dropout", rate = 0.15 },
    ] },
    { type = "dense",$named units = $outputs, parametrization = "ntk" },$beside
]

""")
_BESIDE = Template(
    '\n    { type = "dense", name = "linear", inputs = ["input"], units = $outputs, trainable = false, '
    'weight_initializer = "zeros" },\n    { type = "add", inputs = ["network", "linear"] },'
)
_LOGARITHM = """
[[sweep.candidates]]                    # the logarithm of the target
"network.target_preprocessing" = ["clip", "log", "standardize"]
"""
_PRUNER = '\npruner = "wilcoxon"                     # ends trials that are worse than the best one after two folds'
_HALVING = '\npruner = "halving"                      # at a tenth of the epochs and later, one trial in three goes on'


def sweep_table(
    file: str,
    learning_rate: float,
    weight_decay: float,
    *,
    activation: str,
    block: int,
    rows: str,
    outputs: int,
    is_values: bool,
    embeds: bool,
    has_folds: bool,
    has_linear_part: bool,
) -> str:
    """Return the table ``[sweep]`` of a recipe, as TOML.

    Parameters
    ----------
    file : str
        The spec's file, as its comments show it.
    learning_rate, weight_decay : float
        The recipe's.
    activation : str
        Of the hidden layers.
    block : int
        The place of the block of hidden layers in the network.
    rows : str
        The validation rows, for a comment.
    outputs : int
        Of the network.
    is_values : bool
        Whether the target is values.
    embeds : bool
        Whether the spec embeds numbers.
    has_folds : bool
        Whether the networks are an ensemble on folds.
    has_linear_part : bool
        Whether a linear model stands beside the network.
    """
    layers = {
        "outputs": outputs,
        "named": ' name = "network",' if has_linear_part else "",
        "beside": _BESIDE.substitute(outputs=outputs) if has_linear_part else "",
    }
    return _SWEEP.substitute(
        layers,
        file=file,
        trials=TRIALS,
        rows=rows,
        rates=_around(learning_rate, _RATE_FACTOR),
        decays=_around(weight_decay, _DECAY_FACTOR),
        block=f"network.layers.{block}.layers",
        widths=list(WIDTHS),
        as_they_are=_AS_THEY_ARE.substitute(layers, activation=activation) if embeds else "",
        slow=_rounded(learning_rate / 3),
        fast=_rounded(learning_rate * 2.5),
        strong=_rounded(weight_decay * 4),
        plain_decay=0.1 if is_values else 0.3,
        logarithm=_LOGARITHM if is_values else "",
        # Losses of the logarithm are in other units, which are not compared while trials train.
        pruner=_PRUNER if has_folds else "" if is_values else _HALVING,
    )


def _around(value: float, factor: float) -> str:
    low, high = _rounded(value / factor), _rounded(value * factor)
    return f"{{ low = {low}, high = {high}, log = true }}"


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
