"""Training steps of other tools, as their own documentation writes them.

Every peer gets what specnet gets: the same rows in memory in the same dtype, batches of the same size drawn in a new
random order each epoch and gathered inside the timed step, the same optimizer, and two threads; wide cases get all
cores. None is asked for its loss. Where a peer has several ways, the fastest eager one that is in common use is taken;
jax, which is made to be compiled, compiles its whole loop.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.steps.cases import DROPPED, Case
from tests.benchmarks.steps.peak import peak_run
from tests.benchmarks.timing import Run, once
from tests.compiling import missing, usable_cpus
from tests.reference import tutorial

THREADS = 2
PEAK = "its sums of products at the peak of one core"
JAX_STEPS = 512
"""Steps of one call of jax, where an epoch has only one."""


def threads_of(case: Case) -> int:
    """How many threads everything has that can be told."""
    return usable_cpus() if case.wide else THREADS


def tutorial_run(case: Case) -> Run:
    """Plain NumPy as a tutorial writes it, rows first; it knows the two-layer full-batch network only."""
    X, labels = case.data()
    y = labels.reshape(-1, 1)
    parameters = tutorial.initialize(*case.sizes)

    def step() -> None:
        tutorial.update(parameters, tutorial.backward(parameters, X, y, *tutorial.forward(parameters, X)))

    return once(step)


def scikit_learn_run(case: Case) -> Run:
    """`MLPClassifier.fit` for as many epochs as the steps need, over its number of steps.

    Its per-step functions are private and `partial_fit` checks its data anew each epoch, so whole fits are timed: long
    enough that checking and initializing (about a millisecond) do not count. It cannot be told to leave its loss out.
    Two classes get one logistic output in it, which is a little less work than the two outputs of the others.
    """
    from sklearn.neural_network import MLPClassifier

    X, y = case.data()
    steps_per_epoch = -(-case.rows // case.batch)
    settings: dict[str, Any] = {"hidden_layer_sizes": case.sizes[1:-1], "solver": case.optimizer, "random_state": 0}
    settings |= {"momentum": 0.0, "nesterovs_momentum": False, "alpha": 0.0, "shuffle": not case.full_batch}
    settings |= {"batch_size": case.batch, "learning_rate_init": case.learning_rate}

    def run(count: int) -> int:
        epochs = -(-count // steps_per_epoch)
        model = MLPClassifier(max_iter=epochs, n_iter_no_change=epochs + 1, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model.fit(X, y)
        return epochs * steps_per_epoch

    return run


def batches(case: Case, X: Any, y: Any, draw: Callable[[], Any]) -> Iterator[tuple[Any, Any]]:
    """Yield batches without end, of a newly drawn order in each epoch."""
    while True:
        if case.full_batch:
            yield X, y
        else:
            order = draw()
            for low in range(0, case.rows, case.batch):
                picked = order[low : low + case.batch]
                yield X[picked], y[picked]


def torch_run(case: Case) -> Run:
    """PyTorch, eager: zero_grad, forward, backward, step.

    Batches are taken by an index tensor, which is cheaper than a DataLoader, and the optimizer is the fused one, which
    takes two thirds of the default's time.
    """
    import torch

    torch.set_num_threads(threads_of(case))
    torch.manual_seed(0)
    dtype = getattr(torch, case.dtype)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(case.sizes[:-1]):
        norm, dropout = torch.nn.BatchNorm1d(outputs, dtype=dtype), torch.nn.Dropout(DROPPED)
        middle = [norm, torch.nn.ReLU(), dropout] if case.normalized else [torch.nn.ReLU()]
        layers += [torch.nn.Linear(inputs, outputs, dtype=dtype), *middle]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(*case.sizes[-2:], dtype=dtype))
    data, labels = case.data()
    X, y = torch.from_numpy(data), torch.from_numpy(labels)
    if case.binary:
        y = y.to(dtype).reshape(-1, 1)
    criterion = torch.nn.BCEWithLogitsLoss() if case.binary else torch.nn.CrossEntropyLoss()
    make_optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[case.optimizer]
    optimizer = make_optimizer(model.parameters(), lr=case.learning_rate, fused=True)

    upcoming = batches(case, X, y, lambda: torch.randperm(case.rows))

    def step() -> None:
        inputs, targets = next(upcoming)
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()

    return once(step)


def keras_run(case: Case) -> Run:
    """Keras on PyTorch: `train_on_batch`, whose compiled function is `fit`'s without the callbacks."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.utils.set_random_seed(0)
    keras.config.set_floatx(case.dtype)
    head = keras.layers.Dense(case.sizes[-1], "sigmoid" if case.binary else "softmax")
    hidden: list[keras.Layer] = []
    for units in case.sizes[1:-1]:
        norm, dropout = keras.layers.BatchNormalization(), keras.layers.Dropout(DROPPED)
        middle = [norm, keras.layers.ReLU(), dropout] if case.normalized else [keras.layers.ReLU()]
        hidden += [keras.layers.Dense(units), *middle]
    model = keras.Sequential([keras.Input((case.sizes[0],)), *hidden, head])
    make_optimizer = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[case.optimizer]
    loss = "binary_crossentropy" if case.binary else "sparse_categorical_crossentropy"
    model.compile(make_optimizer(case.learning_rate), loss)
    generator = np.random.default_rng(0)
    upcoming = batches(case, *case.data(), lambda: generator.permutation(case.rows))
    return once(lambda: model.train_on_batch(*next(upcoming)))


def jax_run(case: Case) -> Run:
    """All steps of an epoch as one `lax.scan` in one compiled function, with optax.

    An order drawn by NumPy, which is faster than jax's own, is handed over for each epoch; rows that do not fill a
    batch are left out. XLA takes all cores, whatever it is told.
    """
    import jax
    import jax.numpy as jnp
    import optax

    if case.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    data, labels = case.data()
    X, y = jnp.asarray(data), jnp.asarray(labels, case.dtype if case.binary else np.int32)
    generator = np.random.default_rng(0)
    parameters = [
        (jnp.asarray(generator.normal(size=sizes, scale=sizes[0] ** -0.5), case.dtype), jnp.zeros(sizes[1], case.dtype))
        for sizes in pairwise(case.sizes)
    ]
    optimizer = {"sgd": optax.sgd, "adam": optax.adam}[case.optimizer](case.learning_rate)

    def loss(parameters, inputs, targets):
        *hidden, (weight, bias) = parameters
        for hidden_weight, hidden_bias in hidden:
            inputs = jax.nn.relu(inputs @ hidden_weight + hidden_bias)
        z = inputs @ weight + bias
        if case.binary:
            return optax.sigmoid_binary_cross_entropy(z[:, 0], targets).mean()
        return optax.softmax_cross_entropy_with_integer_labels(z, targets).mean()

    def step(carried, picked):
        parameters, state = carried
        inputs, targets = (X, y) if picked is None else (X[picked], y[picked])
        updates, state = optimizer.update(jax.grad(loss)(parameters, inputs, targets), state, parameters)
        return (optax.apply_updates(parameters, updates), state), None

    steps = JAX_STEPS if case.full_batch else case.rows // case.batch
    epoch = jax.jit(lambda carried, order: jax.lax.scan(step, carried, order, steps)[0], donate_argnums=0)
    carried = (parameters, optimizer.init(parameters))

    def run(count: int) -> int:
        nonlocal carried
        epochs = -(-count // steps)
        for _ in range(epochs):
            order = None
            if not case.full_batch:
                picked = generator.permutation(case.rows)[: steps * case.batch].astype(np.int32)
                order = picked.reshape(steps, case.batch)
            carried = epoch(carried, order)
        jax.block_until_ready(carried)
        return epochs * steps

    return run


def products_run(case: Case) -> Run:
    """The matrix products of a step in BLAS, into given arrays: less than any step that is made of calls of BLAS."""
    generator = np.random.default_rng(0)
    products = []
    for layer, (inputs, outputs) in enumerate(pairwise(case.sizes)):
        weight, x, error = (
            generator.standard_normal(shape).astype(case.dtype)
            for shape in ((outputs, inputs), (inputs, case.batch), (outputs, case.batch))
        )
        products += [(weight, x), (error, x.T)]
        products += [(weight.T, error)] if layer else []
    calls = [(a, b, a @ b) for a, b in products]

    def step() -> None:
        for a, b, product in calls:
            np.dot(a, b, product)

    return once(step)


PEERS: dict[str, Callable[[Case], Run]] = {
    PEAK: peak_run,
    "its matmuls in BLAS": products_run,
    "jax": jax_run,
    "tutorial": tutorial_run,
    "scikit-learn": scikit_learn_run,
    "torch": torch_run,
    "Keras": keras_run,
}
MODULES = {"jax": ("jax", "optax"), "torch": ("torch",), "Keras": ("keras", "torch")}
"""What the peers extra installs; the rest comes with specnet."""


def missing_peers() -> list[str]:
    """Peers of which something is not installed."""
    return [name for name, modules in MODULES.items() if not all(find_spec(module) for module in modules)]


def able(case: Case) -> list[str]:
    """The names of the peers that can train the case, and in a time that they are worth."""
    unable = set() if case.full_batch and len(case.sizes) == 3 else {"tutorial"}
    if missing() is not None:
        unable |= {PEAK}
    if case.normalized:
        unable |= {"scikit-learn", "jax"}
    if case.wide:
        unable |= {"scikit-learn", "Keras"}
    return [name for name in PEERS if name not in unable]
