"""PyTorch's ``nn.Sequential``, module by module; PyTorch is there already, since the caller has one.

The module is run beside the model that is made of it: hooks, and whatever else no module tells, can change its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module as import_by_name
from typing import Any, NoReturn

import numpy as np

from specnet.errors import DataError, FileError
from specnet.importing.draft import INPUT, Draft, Imported
from specnet.importing.proof import prove
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.parts.registry import built_in_registry
from specnet.spec import Limits

_SIZES = {"Linear": "in_features", "BatchNorm1d": "num_features", "LayerNorm": "normalized_shape"}
_LINEAR_FROM = 20
"""PyTorch's softplus is x above its threshold, which no other number in single precision is, if that is 20 or more."""


def import_module(module: Any, limits: Limits | None) -> Imported:
    """Return a module as a spec and a model, which answers as the module does in evaluation mode.

    Raises
    ------
    DataError
        If it is no ``nn.Sequential``, or a module in it is not supported; names it.
    """
    if _kind(module) != "Sequential":
        raise DataError(f"cannot import the module {_kind(module)}; expected an nn.Sequential")
    modules = list(_flat(module, ""))
    if not modules:
        raise DataError("this nn.Sequential is empty")
    draft = Draft(_columns(modules), _dtype(modules), limits)
    running = _Running(module, draft.dtype)
    # PyTorch's older ways to normalize weights keep those of the last run.
    with suppress(DataError):  # what does not run is named below
        running.answers(np.zeros((1, draft.inputs)))
    source = INPUT
    for name, inner in modules:
        kind = _kind(inner)
        if kind not in MODULES:
            raise DataError(f'module "{name}" ({kind}) is not supported')
        source = MODULES[kind](TorchModule(draft, inner, source, f'module "{name}" ({kind})'))
    if source == INPUT:
        source = draft.activation(INPUT, "linear")
    imported = draft.finish(source, "sequential")
    try:
        return replace(imported, proof=prove(imported.model, draft.dtype, running.answers, "PyTorch"))
    except FileError as error:
        hooked = [name for name, inner in module.named_modules() if inner._forward_hooks or inner._forward_pre_hooks]
        hint = f"there are hooks, in {', '.join(name or 'the whole' for name in hooked)}" if hooked else None
        raise DataError(error.diagnostics[0].message, hint=hint) from error


class _Running:
    """A module that is run in evaluation mode, and left in its own."""

    def __init__(self, module: Any, dtype: str) -> None:
        self._module, self._dtype = module, dtype

    def answers(self, X: Array) -> list[Array]:
        """Return what it answers about columns (rows, inputs)."""
        torch = import_by_name("torch")
        modes = [(inner, inner.training) for inner in self._module.modules()]
        device = next((parameter.device for parameter in self._module.parameters()), None)
        self._module.eval()
        try:
            with torch.no_grad():
                answer = self._module(torch.tensor(X.astype(self._dtype), device=device))
            return [answer.cpu().numpy()]
        except Exception as error:  # of any kind: it is the caller's module
            raise DataError(f"this module cannot be run: {type(error).__name__}: {str(error)[:200]}") from error
        finally:
            for inner, mode in modes:
                inner.training = mode


def _flat(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in module._modules.items():  # named_children passes over a module that is there twice
        if _kind(inner) == "Sequential":
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _kind(module: Any) -> str:
    """Return the name of a module's class, if it is one of PyTorch's own and no class made of it."""
    kind = type(module)
    return kind.__name__ if kind.__module__.startswith("torch.nn.modules.") else f"{kind.__module__}.{kind.__name__}"


def _columns(modules: list[tuple[str, Any]]) -> int:
    halved = 0
    for _, module in modules:
        halved += _kind(module) == "GLU"
        if _kind(module) in _SIZES:
            size = getattr(module, _SIZES[_kind(module)])
            return int(size if isinstance(size, int) else size[-1]) << halved
    raise DataError("the number of inputs is unknown: no module specifies it")


def _dtype(modules: list[tuple[str, Any]]) -> str:
    found = {str(parameter.dtype).removeprefix("torch.") for _, module in modules for parameter in module.parameters()}
    if len(found) > 1 or not found <= {"float32", "float64"}:
        raise DataError(f"the parameters are {' and '.join(sorted(found))}; all float32 or all float64 is needed")
    return found.pop() if found else "float32"


@dataclass(frozen=True)
class TorchModule:
    """A module, and what it reads.

    Attributes
    ----------
    draft : Draft
    module : torch.nn.Module
    source : int
    where : str
        What messages call it.
    """

    draft: Draft
    module: Any
    source: int
    where: str

    @property
    def size(self) -> int:
        """The number of features that it reads."""
        return self.draft.size(self.source)

    def refuse(self, reason: str) -> NoReturn:
        """Say that the module is not supported."""
        raise DataError(f"{self.where}: {reason}")

    def array(self, name: str, default: float = 0.0) -> Array:
        """Return a parameter or a buffer, (features,) of a default where the module has none."""
        tensor = getattr(self.module, name)
        if tensor is None:
            return np.full(self.size, default)
        if tensor.is_meta:
            self.refuse(f"its {name} is on the device meta, which keeps no numbers")
        return np.asarray(tensor.detach().cpu().numpy())

    def along_features(self) -> None:
        """Refuse a module that works along another axis than the features."""
        if self.module.dim not in (1, -1):
            self.refuse(f"it works along the axis {self.module.dim}, which is not that of the features")

    def activation(self, part: str | dict[str, Any], tensors: dict[str, Array] | None = None) -> int:
        """Add an activation."""
        return self.draft.activation(self.source, part, tensors)


def _linear(module: TorchModule) -> int:
    bias = None if module.module.bias is None else module.array("bias")
    return module.draft.dense(module.source, module.array("weight"), bias)


def _batch_norm(module: TorchModule) -> int:
    if module.module.running_mean is None:
        module.refuse("it normalizes by the batch, without running averages")
    if module.module.num_features != module.size:
        module.refuse(f"it has {module.module.num_features} features, and reads {module.size}")
    momentum = module.module.momentum
    fields = {} if momentum is None or not 0 < momentum <= 1 else {"momentum": round(1 - momentum, 12)}
    return module.draft.normalization(
        module.source,
        module.module.eps,
        module.array("weight", 1.0),
        module.array("bias"),
        module.array("running_mean"),
        module.array("running_var"),
        **fields,
    )


def _layer_norm(module: TorchModule) -> int:
    if tuple(module.module.normalized_shape) != (module.size,):
        module.refuse(
            f"it normalizes over the shape {tuple(module.module.normalized_shape)}, and reads {module.size} features"
        )
    tensors = {"scale": module.array("weight", 1.0), "shift": module.array("bias")}
    fields = {"type": "layer_normalization", "epsilon": module.module.eps}
    return module.draft.add(fields, [module.source], tensors)


def _named(part: type[Activation], module: TorchModule) -> int:
    """Add an activation whose fields are attributes of the module."""
    if not part.elementwise:
        module.along_features()
    arguments = part.names.torch_arguments()
    return module.activation({"type": part.part_name(), **{f: getattr(module.module, a) for a, f in arguments.items()}})


def _leaky_relu(module: TorchModule) -> int:
    slope = module.module.negative_slope
    if 0 <= slope < 1:
        return module.activation({"type": "leaky_relu", "negative_slope": slope})
    return module.activation("prelu", {"negative_slope": np.full(module.size, slope)})


def _prelu(module: TorchModule) -> int:
    slope = module.array("weight")
    if slope.size not in (1, module.size):
        module.refuse(f"it has {slope.size} slopes for {module.size} features")
    return module.activation("prelu", {"negative_slope": np.broadcast_to(slope, module.size)})


def _gelu(module: TorchModule) -> int:
    approximate = module.module.approximate
    return module.activation("gelu" if approximate == "none" else {"type": "gelu", "approximate": True})


def _softplus(module: TorchModule) -> int:
    if module.module.beta != 1 or module.module.threshold < _LINEAR_FROM or module.draft.dtype != "float32":
        module.refuse("a softplus with another beta than 1, or one that is linear where digits tell, is not supported")
    return module.activation("softplus")


def _hard_tanh(module: TorchModule) -> int:
    low, high = float(module.module.min_val), float(module.module.max_val)
    known = {(-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}
    return module.activation(known.get((low, high), {"type": "clip", "minimum": low, "maximum": high}))


def _glu(module: TorchModule) -> int:
    module.along_features()
    if module.size % 2:
        module.refuse(f"it halves {module.size} features")
    return module.draft.add({"type": "activation", "activation": "glu"}, [module.source], size=module.size // 2)


def _dropout(module: TorchModule) -> int:
    if module.module.p >= 1:
        return module.source
    return module.draft.add({"type": "dropout", "rate": module.module.p}, [module.source])


def _nothing(module: TorchModule) -> int:
    return module.source


MODULES: dict[str, Callable[[TorchModule], int]] = {
    **{
        part.names.torch[0]: partial(_named, part)
        for part in built_in_registry().of_kind("activation")
        if issubclass(part, Activation) and part.names.torch[0]
    },
    **dict.fromkeys(["AlphaDropout", "Dropout", "Dropout1d", "FeatureAlphaDropout"], _dropout),
    "BatchNorm1d": _batch_norm,
    "Flatten": _nothing,
    "GELU": _gelu,
    "GLU": _glu,
    "Hardtanh": _hard_tanh,
    "Identity": _nothing,
    "LayerNorm": _layer_norm,
    "LeakyReLU": _leaky_relu,
    "Linear": _linear,
    "PReLU": _prelu,
    "Softplus": _softplus,
}
"""The classes of `torch.nn` that are supported."""
