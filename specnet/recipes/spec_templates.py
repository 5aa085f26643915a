"""Specs to start from without a table, by name: `$name` and `$file` stand for the spec's name and its file."""

from string import Template

_HEAD = """\
#:schema ./specnet.schema.json
# {about}
#
#   specnet validate $file   check it
#   specnet show $file       show layers, sizes, parameters
#   specnet run $file        train, evaluate, save
#
# `specnet parts` lists everything that can be used here, `specnet parts adam` explains one part.
# `specnet new --data table.csv --target column` writes a spec for your own table.

name = "$name"
seed = 0                                # the same seed gives the same model

"""

_CLASSIFICATION = """\
[data]
type = "iris"                           # 150 flowers: four measurements, three species
split = { test_size = 0.2 }             # fraction of rows held out for testing

[network]
hidden_layer_sizes = [16, 16]           # input and output sizes come from the data
activations = "relu"                    # of the hidden layers; the loss sets the output's
preprocessing = ["standardize"]         # fitted on the training set, stored in the model

[training]
loss = "categorical_crossentropy"       # two classes: binary_crossentropy; numbers: mean_squared_error
optimizer = { type = "adam", learning_rate = 0.01 }
epochs = 100
batch_size = 32
metrics = ["accuracy"]                  # numbers: r2, root_mean_squared_error, …
"""

_MOONS = """\
[data]
type = "make_moons"                     # scikit-learn's, with the same fields
n_samples = 300
noise = 0.2
split = { test_size = 0.2 }             # fraction of rows held out for testing

[network]
layer_sizes = [2, 5, 1]                 # two inputs, five hidden units, one output
activations = ["relu", "sigmoid"]

[training]
loss = "binary_crossentropy"            # computed from the logits for numerical stability
optimizer = { type = "sgd", learning_rate = 0.5 }
epochs = 2000
batch_size = "full"                     # all training rows in every step: plain gradient descent
metrics = ["accuracy"]
"""

_REGRESSION = """\
[data]
type = "diabetes"                       # 442 patients: ten measurements, the disease's progression after a year
split = { test_size = 0.2 }             # fraction of rows held out for testing

[network]
hidden_layer_sizes = [16]               # input and output sizes come from the data
preprocessing = ["standardize"]         # fitted on the training set, stored in the model
target_preprocessing = ["standardize"]  # predictions and metrics are in the target's own units

[training]
loss = "mean_squared_error"             # of the standardized target: about 1 at the start
epochs = 60
batch_size = 32
metrics = ["r2", "root_mean_squared_error"]

[training.optimizer]
type = "adamw"
learning_rate = 0.003
weight_decay = 1.0                      # strong: keeps the network close to a linear model
"""

_RESIDUAL = """\
[data]
type = "make_circles"                   # scikit-learn's, with the same fields
n_samples = 600
noise = 0.1
factor = 0.5
split = { test_size = 0.25, validation_size = 0.15 }

[[network.layers]]                      # each layer reads the previous one, unless `inputs` names others
type = "dense"
units = 16

[[network.layers]]
type = "block"
repeat = 3                              # three blocks, each with its own weights

[[network.layers.layers]]
type = "dense"
units = 16
activation = "relu"

[[network.layers.layers]]
type = "dense"
name = "branch"
units = 16
weight_initializer = "zeros"            # each block starts as the identity

[[network.layers.layers]]
type = "add"
inputs = ["input", "branch"]            # `input` is the input of the block

[[network.layers]]
type = "dense"
units = 1                               # its activation, sigmoid, follows from the loss

[training]
loss = "binary_crossentropy"
optimizer = { type = "sgd", learning_rate = 0.05, momentum = 0.9, nesterov = true }
epochs = 40
batch_size = 32
metrics = ["accuracy"]
"""

_BODIES = {
    "moons": ("Two half moons and a network of 21 parameters: data, layers and training in one file.", _MOONS),
    "classification": ("Species of iris flowers: data, layers and training in one file.", _CLASSIFICATION),
    "regression": ("Progression of diabetes after a year: data, layers and training in one file.", _REGRESSION),
    "residual": ("Residual blocks: layers by name, a branch added to its shortcut.", _RESIDUAL),
}
TEMPLATES = {name: Template(_HEAD.format(about=about) + body) for name, (about, body) in _BODIES.items()}
