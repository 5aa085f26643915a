"""From a spec to its network."""

from __future__ import annotations

from collections.abc import Iterable

from specnet.network.engine_backends import check_engine
from specnet.network.network import Network
from specnet.parts.arrays import check_count
from specnet.parts.part import Part
from specnet.spec import Limits, Spec, SpecSource, parse_spec, resolve, with_engine


def build(
    spec: SpecSource | Spec,
    inputs: int | None = None,
    outputs: int | None = None,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    engine: str | None = None,
) -> Network:
    """Return the network that a spec describes.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    inputs, outputs : int, optional
        Numbers of columns and of outputs, if neither the spec nor its data part specifies them.
    parts, overrides, limits : optional
        As for `parse_spec`.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``; the network is compiled only if that is "compiled".

    Raises
    ------
    SpecError
        With every mistake in the spec.
    """
    for name, size in (("inputs", inputs), ("outputs", outputs)):
        if size is not None:
            check_count(size, name, at_least=1)
    parsed = parse_spec(spec, parts=parts, overrides=with_engine(overrides, engine), limits=limits)
    check_engine(parsed)
    return Network(resolve(parsed, inputs=inputs, outputs=outputs))
