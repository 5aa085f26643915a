"""Import of PyTorch's ``nn.Sequential``, module by module; PyTorch is installed, since the caller has a module.

The outputs of the imported model are compared with those of the module: hooks and other code that is not visible in the
modules can change its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module as import_by_name
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import Shape
from specnet.importing.draft import INPUT, Draft, ForeignLayer, Imported, errors_at, named_parts, same
from specnet.importing.import_proof import prove
from specnet.parts.activations import LeakyRelu, Softplus
from specnet.parts.arrays import Array
from specnet.parts.layers import BatchNormalization
from specnet.parts.part import Names
from specnet.spec import Limits

_LINEAR_FROM = 20
"""PyTorch's softplus returns x above its threshold; from this threshold on, that is exact in single precision."""
_OTHERS = "put its layers into an nn.Sequential, or write it with torch.onnx.export and import that file"
"""The hint for unsupported modules."""


def import_module(module: Any, limits: Limits | None) -> Imported:
    """Return an ``nn.Sequential`` as a spec and a model; raise an error that names an unsupported module."""
    if _kind(module) != "Sequential":
        raise FileError(f"cannot import the module {_kind(module)}; expected an nn.Sequential", hint=_OTHERS)
    modules = list(_flat(module, ""))
    if not modules:
        raise FileError("this nn.Sequential is empty")
    draft = Draft(_columns(modules), _dtype(modules), limits)
    answers = partial(_answers, module, draft.dtype)
    # PyTorch's older weight normalization stores the weights of the last run, so the module is run first.
    with suppress(FileError):  # a module that does not run is named below
        answers(np.zeros((1, draft.inputs)))
    source = INPUT
    for name, inner in modules:
        kind, size = _kind(inner), _size(inner)
        with errors_at(f'module "{name}" ({kind})'):
            if kind not in MODULES:
                raise FileError("it is not supported")
            if size not in (None, draft.size(source)):
                raise FileError(f"it has {size} features, and reads {draft.size(source)}")
            source = MODULES[kind](TorchModule(draft, [source], inner))
    imported = draft.finish(source, "sequential")
    try:
        proof = prove(imported.model, draft.dtype, lambda rows: answers(rows.X), "PyTorch")
        return replace(imported, proof=proof)
    except FileError as error:
        hooked = [name for name, inner in module.named_modules() if inner._forward_hooks or inner._forward_pre_hooks]
        hint = f"there are hooks, in {', '.join(name or 'the whole' for name in hooked)}" if hooked else None
        raise FileError(error.diagnostics[0].message, hint=hint) from error


def _answers(module: Any, dtype: str, X: Array) -> list[Array]:
    """Return a module's outputs for columns (rows, inputs) in evaluation mode; its mode is restored afterwards."""
    torch = import_by_name("torch")
    modes = [(inner, inner.training) for inner in module.modules()]
    device = next((parameter.device for parameter in module.parameters()), None)
    module.eval()
    try:
        with torch.no_grad():
            return [module(torch.tensor(X.astype(dtype), device=device)).cpu().numpy()]
    except Exception as error:  # the caller's module may raise any error
        raise FileError(f"this module cannot be run: {type(error).__name__}: {str(error)[:200]}") from error
    finally:
        for inner, mode in modes:
            inner.training = mode


def _flat(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in module._modules.items():  # named_children skips the second use of a module
        if _kind(inner) == "Sequential":
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _kind(module: Any) -> str:
    """Return the name of a module's class, with its module if it is not one of PyTorch's own."""
    kind = type(module)
    return kind.__name__ if kind.__module__.startswith("torch.nn.modules.") else f"{kind.__module__}.{kind.__name__}"


def _size(module: Any) -> int | None:
    """Return the number of features that a module requires, None if it takes any number."""
    sizes = (getattr(module, name, None) for name in ("in_features", "num_features", "normalized_shape"))
    return next((int(np.prod(size)) for size in sizes if size is not None), None)


def _columns(modules: list[tuple[str, Any]]) -> int:
    halved = 0
    for _, module in modules:
        halved += _kind(module) == "GLU"
        if (size := _size(module)) is not None:
            return size << halved
    raise FileError("the number of inputs is unknown: no module specifies it")


def _dtype(modules: list[tuple[str, Any]]) -> str:
    found = {str(parameter.dtype).removeprefix("torch.") for _, module in modules for parameter in module.parameters()}
    return " and ".join(sorted(found)) or "float32"


@dataclass(frozen=True)
class TorchModule(ForeignLayer):
    """A PyTorch module, which reads the output of one layer."""

    module: Any

    @property
    def axis(self) -> Any:
        return getattr(self.module, "dim", -1)

    def fields(self, names: Names) -> dict[str, Any]:
        arguments = {field: getattr(self.module, name) for name, field in names.torch_arguments().items()}
        # The only argument that is text is the approximation of gelu.
        return {name: value == "tanh" if isinstance(value, str) else value for name, value in arguments.items()}

    def arrays(self, names: Names, shapes: Mapping[str, Shape]) -> dict[str, Array | None]:
        return dict(zip(shapes, map(self.array, names.torch[2:]), strict=True))

    def array(self, name: str) -> Array | None:
        """Return a parameter or a buffer, None if it is missing; its shape is () if it is one number."""
        tensor = getattr(self.module, name)
        if tensor is None:
            return None
        if tensor.is_meta:
            raise FileError(f"its {name} is on the device meta, which keeps no numbers")
        array = np.asarray(tensor.detach().cpu().numpy())
        return array.reshape(()) if array.shape == (1,) else array


def _linear(module: TorchModule) -> int:
    weight, bias = module.array("weight"), module.array("bias")
    assert weight is not None, "every Linear has one"
    return module.draft.dense(module.source, weight, None if bias is None else bias.reshape(-1))


def _batch_norm(module: TorchModule) -> int:
    if module.module.running_mean is None:
        raise FileError("it normalizes by the batch, without running averages")
    momentum = module.module.momentum  # the weight of the new batch, 1 − momentum in specnet
    known = momentum is not None and 0 < momentum <= 1
    return module.add(BatchNormalization, **({"momentum": round(1 - momentum, 12)} if known else {}))


def _leaky_relu(module: TorchModule) -> int:
    slope = module.module.negative_slope
    if 0 <= slope < 1:
        return module.add(LeakyRelu)
    return module.draft.activation(module.source, "prelu", {"negative_slope": np.array(slope)})


def _softplus(module: TorchModule) -> int:
    if module.module.beta != 1 or module.module.threshold < _LINEAR_FROM or module.draft.dtype != "float32":
        raise FileError(
            "a softplus with another beta than 1, or one that is linear where digits tell, is not supported"
        )
    return module.add(Softplus)


def _hard_tanh(module: TorchModule) -> int:
    return module.clip(module.module.min_val, module.module.max_val)


def _dropout(module: TorchModule) -> int:
    rate = module.module.p
    return module.source if rate >= 1 else module.draft.add({"type": "dropout", "rate": rate}, [module.source])


MODULES: dict[str, Callable[[TorchModule], int]] = {
    **{name: partial(TorchModule.add, part=part) for name, part in named_parts(lambda names: names.torch[0]).items()},
    **dict.fromkeys(["AlphaDropout", "Dropout", "Dropout1d", "FeatureAlphaDropout"], _dropout),
    **dict.fromkeys(["Flatten", "Identity"], same),
    "BatchNorm1d": _batch_norm,
    "Hardtanh": _hard_tanh,
    "LeakyReLU": _leaky_relu,
    "Linear": _linear,
    "Softplus": _softplus,
}
"""The classes of `torch.nn` that are supported."""
