"""Trained networks that predict and can be saved and loaded, and the format of their file.

In: a network, its parameters and states, fitted preprocessing and labels; or the bytes of a file. Out: predictions,
probabilities, metrics, and the same bytes again. Start with `Model` in `model`: one or several `TrainedNetwork`, each
with one or several members, whose outputs are averaged. `decoder` turns outputs into predictions, `error_quantiles`
has the sizes of intervals and sets, `file` the file format. `unfamiliar` counts cells unlike those of training rows,
`contributions` and `gradients` say what a prediction depends on.
"""

from specnet.model.contributions import Background as Background
from specnet.model.contributions import Contributions as Contributions
from specnet.model.decoder import NO_PARAMETERS as NO_PARAMETERS
from specnet.model.decoder import Answers as Answers
from specnet.model.decoder import Decoder as Decoder
from specnet.model.error_quantiles import ErrorQuantiles as ErrorQuantiles
from specnet.model.error_quantiles import class_errors as class_errors
from specnet.model.error_quantiles import errors_of as errors_of
from specnet.model.model import Model as Model
from specnet.model.reading import load_model as load_model
from specnet.model.reading import read_model as read_model
from specnet.model.trained_network import TrainedNetwork as TrainedNetwork
from specnet.model.unfamiliar import UnfamiliarCells as UnfamiliarCells
from specnet.model.unfamiliar import unfamiliar_cells as unfamiliar_cells
from specnet.model.unfamiliar import unfilled_missing_values as unfilled_missing_values
from specnet.model.unfamiliar import untrained_missing_values as untrained_missing_values
