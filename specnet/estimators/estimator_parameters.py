"""The arguments of an estimator: keys of a spec, and names such as ``spec__training__l2`` for values inside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from specnet.data import check_labels
from specnet.errors import SpecError, SpecnetError
from specnet.parts.data import Column
from specnet.parts.preprocessing import Impute
from specnet.spec import Spec, SpecSource, parse_spec
from specnet.spec.reading.reader import CannotSetError, read, with_change
from specnet.spec.reading.source_document import Document

RECIPE = "recipe"
"""The value of the argument `spec` that requests the spec that ``specnet new`` writes for the rows."""
NESTED = "spec__"
"""Prefix of parameter names for values inside the spec; the keys of a path are joined by two underscores."""
OF_NETWORK = ("hidden_layer_sizes", "activations")
OF_TRAINING = ("loss", "optimizer", "epochs", "batch_size", "l2", "class_weight", "early_stopping", "engine")
KEYS = {name: ("network", name) for name in OF_NETWORK} | {name: ("training", name) for name in OF_TRAINING}
"""Paths in the spec by the name of the argument."""

PREPROCESSING = ("network", "preprocessing")
DEFAULT_SPEC: Mapping[str, Any] = {
    "network": {
        "dtype": "float64",
        "hidden_layer_sizes": [150],
        "weight_initializer": "sklearn_mlp",
        "preprocessing": ["standardize"],
    },
    "training": {
        "optimizer": {"type": "adamw", "learning_rate": 1.5e-3, "weight_decay": 0.5},
        "epochs": 150,
        "batch_size": 100,
        "early_stopping": {"monitor": "loss", "min_delta": 1e-4, "restore_best": False},
    },
}
"""The default spec of the classifier, measured to be no worse than scikit-learn's network, and faster."""


class ChangedDefaults(dict[str, Any]):
    """The default spec after `set_params` has changed values inside it.

    Attributes
    ----------
    written : frozenset of tuple of str
        The changed keys, each with its section. Other defaults are dropped if they conflict with them.
    """

    def __init__(self, data: Mapping[str, Any], written: frozenset[tuple[str, ...]]) -> None:
        super().__init__(data)
        self.written = written


@dataclass(eq=False, repr=False)
class SpecParameters(BaseEstimator):
    """The arguments of an estimator: a spec, and values that override some of its keys.

    This is a data class because scikit-learn reads the argument names from the signature of `__init__`, which may only
    store them. A subclass with additional arguments is a data class too. Comparison and `repr` are scikit-learn's.
    """

    default_spec: ClassVar[Mapping[str, Any]] = DEFAULT_SPEC
    default_loss: ClassVar[str]
    """Name of the default loss, for the simplest kind of target."""

    spec: SpecSource | Spec | None = None
    _: KW_ONLY
    hidden_layer_sizes: Any = None
    activations: Any = None
    loss: str | Mapping[str, Any] | None = None
    optimizer: str | Mapping[str, Any] | None = None
    epochs: int | None = None
    batch_size: int | str | None = None
    l2: float | None = None
    early_stopping: bool | Mapping[str, Any] | None = None
    engine: str | None = None
    validation_size: float | None = None
    warm_start: bool = False
    random_state: Any = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments by name.

        Parameters
        ----------
        deep : bool
            Whether to add the values of the spec, overridden by the other arguments, by names such as
            ``spec__training__optimizer``. They are omitted while the arguments cannot be combined into a document.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            try:
                params |= _leaves(self._document().data, "spec")
            except (SpecnetError, ValueError):  # `fit` reports what is wrong with them
                return params
        return params

    def set_params(self, **params: Any) -> Self:
        """Set arguments by name.

        A name such as ``spec__training__optimizer__learning_rate`` changes a value inside the spec: in the argument
        that overrides this key, otherwise in ``spec`` itself, or in the default spec if ``spec`` is None. Digits are
        indices of lists; the value None removes a key.

        Raises
        ------
        ValueError
            If an argument or a key of the spec does not exist.
        SpecError
            If ``spec`` is a `Spec` that the change makes invalid; other specs are checked by `fit`.
        """
        for name in params:
            argument, _, rest = name.partition("__")
            if rest and argument in KEYS:
                raise ValueError(f"unknown parameter {name}; use {NESTED}{'__'.join([*KEYS[argument], rest])}")
        super().set_params(**{name: value for name, value in params.items() if not name.startswith(NESTED)})
        for name, value in params.items():
            if name.startswith(NESTED):
                self._set_in_spec(name.removeprefix(NESTED).split("__"), value)
        return self

    def _set_in_spec(self, names: list[str], value: Any) -> None:
        for argument, path in KEYS.items():
            if tuple(names[: len(path)]) == path and getattr(self, argument, None) is not None:
                given = self._given(argument)
                own = {} if given is None else {argument: given}
                setattr(self, argument, _changed(own, (argument, *names[len(path) :]), value).get(argument))
                return
        if self._asks_for_recipe():
            makes = f'spec="{RECIPE}" makes one when fitted; use arguments such as epochs'
            raise ValueError(f"{NESTED}{'__'.join(names)} needs a spec, but {makes}")
        data, written = _changed(self._spec_document().data, names, value), self._written_over_defaults()
        if written is not None:
            self.spec = ChangedDefaults(data, written | {tuple(names[:2])})
        else:
            self.spec = self._parsed(data) if isinstance(self.spec, Spec) else data

    def _written_over_defaults(self) -> frozenset[tuple[str, ...]] | None:
        """Return the keys changed by `set_params` in the default spec or the recipe; None for any other spec."""
        if isinstance(self.spec, ChangedDefaults):
            return self.spec.written
        return frozenset() if self.spec is None or self._asks_for_recipe() else None

    def _with_usual_preprocessing(self, spec: Spec, columns: Sequence[Column], names: Sequence[str]) -> Spec:
        """Return the default spec adapted to a data frame; a spec with explicit preprocessing is returned unchanged.

        Columns with kinds get the default preprocessing of tables. For a frame of complete numbers, a step is added
        that fills gaps in later rows.
        """
        written = self._written_over_defaults()
        if self._asks_for_recipe() or written is None or PREPROCESSING in written or not names:
            return spec
        steps = None if columns else (Impute(), *(spec.network.preprocessing or ()))
        return spec.with_network(preprocessing=steps)

    def _asks_for_recipe(self) -> bool:
        return isinstance(self.spec, str) and self.spec == RECIPE

    def _given(self, argument: str) -> Any:
        """Return the value of an argument in the form that a spec uses; None if it is not given."""
        value = _plain(getattr(self, argument, None))
        if argument == "hidden_layer_sizes" and isinstance(value, int) and not isinstance(value, bool):
            return [value]
        if argument == "early_stopping" and isinstance(value, bool):
            return {} if value else None
        if argument == "class_weight" and isinstance(value, Mapping):
            return {str(check_labels([label])[0]): weight for label, weight in value.items()}
        return value

    def _spec_document(self, recipe: str | None = None) -> Document:
        """Return the document of the spec without the overriding arguments; a recipe is only known during `fit`."""
        if self._asks_for_recipe():
            if recipe is None:
                raise ValueError(f'spec="{RECIPE}" has no parameters before it is fitted')
            return read(recipe)
        if isinstance(self.spec, Spec):
            data = self.spec.model_dump(mode="json", exclude_none=True)
            if "seed" not in self.spec.model_fields_set:
                del data["seed"]
            return read(data)
        return read(self.default_spec if self.spec is None else self.spec)

    def _document(self, recipe: str | None = None) -> Document:
        """Return the document of the spec with the keys that the other arguments override."""
        document = self._spec_document(recipe)
        data = document.data
        for argument, path in KEYS.items():
            given = self._given(argument)
            if given is not None:
                data = _changed(data, path, given)
        if _plain(self.early_stopping) is False:
            data = _changed(data, KEYS["early_stopping"], None)
        # A text has locations for its values; values from arguments have no location.
        return self._without_clashes(document if data is document.data else read(data))

    def _without_clashes(self, document: Document) -> Document:
        """Return a document without the defaults that conflict with keys that the user set."""
        written = self._written_over_defaults()
        if written is None:
            return document
        written |= {path for argument, path in KEYS.items() if self._given(argument) is not None}
        while True:  # mistakes of a later stage are only reported if earlier stages find none
            try:
                self._parsed(_with_loss(document, self.default_loss))
            except SpecError as error:
                data = document.data
                for path in _blamed(error) - written:
                    data = _changed(data, path, None)
                if data == document.data:
                    return document
                document = read(data)
            else:
                return document

    def _parsed_spec(self, loss: str, recipe: str | None) -> Spec:
        """Return the spec to train, with a default loss if it has none, and with the seed from `random_state`."""
        document = self._document(recipe)
        spec = self._parsed(_with_loss(document, loss))
        if self.random_state is None and "seed" in document.data:
            return spec
        generator = check_random_state(self.random_state)
        seed = self.random_state if isinstance(self.random_state, Integral) else generator.randint(2**31)
        return spec.model_copy(update={"seed": int(seed)})

    def _parsed(self, source: Document | Mapping[str, Any]) -> Spec:
        """Parse a spec with the parts and limits of the argument `spec`, if that is a `Spec`."""
        if not isinstance(self.spec, Spec):
            return parse_spec(source)
        return parse_spec(source, parts=self.spec.registry.added, limits=self.spec.origin.limits)


def _with_loss(document: Document, loss: str) -> Document:
    """Return a document with a default loss added if it has none."""
    training = document.data.get("training", {})
    if not isinstance(training, Mapping) or "loss" in training:
        return document
    return read(_changed(document.data, KEYS["loss"], loss))


def _blamed(error: SpecError) -> set[tuple[str, ...]]:
    """Return the keys that the mistakes of an error concern, each with its section."""
    paths = [item.path for mistake in error.diagnostics for item in (mistake, *mistake.notes)]
    return {(str(path[0]), str(path[1])) for path in paths if len(path) > 1}


def _plain(value: Any) -> Any:
    """Return NumPy scalars and arrays as Python numbers and lists; other values unchanged."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _changed(data: Mapping[str, Any], names: Sequence[str], value: Any) -> Mapping[str, Any]:
    """Return data with the value at a path replaced, or removed if the value is None."""
    try:
        return with_change(data, list(names), value, value is None)[0]
    except CannotSetError as error:
        if value is None:
            return data
        raise ValueError(f"unknown parameter {NESTED}{'__'.join(names)}: {error.message}") from None


def _leaves(value: Any, name: str) -> dict[str, Any]:
    """Return all values that are neither tables nor lists of tables, by parameter names such as ``spec__seed``."""
    if isinstance(value, Mapping):
        steps: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, tuple) and any(isinstance(item, Mapping) for item in value):
        steps = enumerate(value)
    else:
        return {name: value}
    return {key: leaf for step, inner in steps for key, leaf in _leaves(inner, f"{name}__{step}").items()}
