"""The long form of a network: dense layers in place of sizes, activations and initializers where a spec names none."""

from collections.abc import Iterator, Sequence
from typing import Any

from specnet.errors import Path
from specnet.parts.activations import Activation, Linear, Relu
from specnet.parts.initializers import Initializer, RandomNormal, Zeros
from specnet.parts.layers import ActivationLayer, Block, Dense, Layer
from specnet.parts.part import Part
from specnet.spec.document import NetworkSpec, Spec
from specnet.spec.resolving.problems import Problems

LAYERS: Path = ("network", "layers")


class LongForm:
    """A network's layers as the resolved spec has them.

    Parameters
    ----------
    spec : Spec
    outputs : int
        What the last layer of `hidden_layer_sizes` needs; 0 where it is not known.
    problems : Problems
        Takes the mistakes, and where each layer was written.

    Attributes
    ----------
    layers : tuple of Layer
    """

    def __init__(self, spec: Spec, outputs: int, problems: Problems) -> None:
        self.registry, self.report, self.written = spec.registry, problems.report, problems.written
        self.legacy = spec.random_generator == "legacy"
        network = spec.network
        output_activation = self.part(Activation, spec.training.loss.output_activation)
        if network.layers is None:
            layers = self._stack(network, outputs, output_activation)
        else:
            layers = self._with_output(network.layers, output_activation)
        self.layers = tuple(self._filled(layers, LAYERS))

    def part(self, kind: type[Part], name: str) -> Any:
        """Return the part of a kind that has this name, with its defaults."""
        part: Any = self.registry.find(kind.kind, name)
        assert part is not None, f'a part asks for the {kind.kind} "{name}", which is not registered'
        return part()

    def _stack(self, network: NetworkSpec, outputs: int, output_activation: Activation) -> list[Layer]:
        """Return the dense layers that sizes stand for; without a known number of outputs the last has one."""
        layers: list[Layer] = []
        sizes = _sizes(network, outputs)
        activations = self._activations(network.activations, len(sizes), output_activation)
        for index, ((units, source), activation) in enumerate(zip(sizes, activations, strict=True)):
            here = (*LAYERS, index)
            self.written[here] = self.written[*here, "units"] = source
            for name in ("weight_initializer", "bias_initializer"):
                self.written[*here, name] = ("network", name)
            if isinstance(network.activations, tuple):
                self.written[*here, "activation"] = ("network", "activations", index)
            elif network.activations is not None and index < len(sizes) - 1:
                self.written[*here, "activation"] = ("network", "activations")
            layers.append(
                Dense(
                    units=units,
                    activation=activation,
                    weight_initializer=network.weight_initializer,
                    bias_initializer=network.bias_initializer,
                )
            )
        return layers

    def _activations(
        self, given: Activation | tuple[Activation, ...] | None, count: int, output: Activation
    ) -> list[Activation]:
        """Return an activation for each of the layers of a stack."""
        if not isinstance(given, tuple):
            return [*[given or Relu()] * (count - 1), output]
        if len(given) != count:
            message = f"{len(given)} activations for {count} layers"
            hint = "one for each layer after the inputs, or a single one for all hidden layers"
            self.report("activation-count", message, ("network", "activations"), hint=hint)
        return [*given, *[output] * count][:count]

    def _with_output(self, layers: Sequence[Layer], output_activation: Activation) -> list[Layer]:
        """Return the layers with the loss's activation at their end, where they end in none."""
        if layers and isinstance(layers[-1], Dense):
            last = layers[-1]
            return [
                *layers[:-1],
                last if last.activation else last.model_copy(update={"activation": output_activation}),
            ]
        if layers and isinstance(layers[-1], ActivationLayer):
            return list(layers)
        self.written[*LAYERS, len(layers)] = (*LAYERS, len(layers) - 1) if layers else LAYERS
        return [*layers, ActivationLayer(activation=output_activation)]

    def _filled(self, layers: Sequence[Layer], path: Path) -> Iterator[Layer]:
        for index, layer in enumerate(layers):
            here = (*path, index)
            if isinstance(layer, Block):
                inside = tuple(self._filled(layer.layers, (*here, "layers")))
                yield layer.model_copy(update={"layers": inside})
            elif isinstance(layer, Dense):
                after = layers[index + 1] if index + 1 < len(layers) else None
                yield self._filled_dense(layer, after, here)
            else:
                yield layer

    def _filled_dense(self, layer: Dense, after: Layer | None, here: Path) -> Dense:
        activation = before = layer.activation or Linear()
        if isinstance(activation, Linear) and isinstance(after, ActivationLayer):
            before = after.activation if after.inputs in (None, (layer.name,)) else activation
        ntk = RandomNormal(stddev=1.0) if layer.parametrization == "ntk" else None
        weight = layer.weight_initializer or ntk or self.part(Initializer, before.default_initializer)
        bias = layer.bias_initializer
        if bias is not None and not layer.use_bias:
            message = "there is no bias to initialize"
            self.report("bias-initializer", message, (*here, "bias_initializer"), hint="use_bias is false")
        elif bias is None and layer.use_bias:
            bias = weight if weight.decides_bias else ntk or Zeros()
        if self.legacy:
            self._check_legacy((*here, "weight_initializer"), weight, layer.weight_initializer)
            self._check_legacy((*here, "bias_initializer"), bias, layer.bias_initializer)
        return layer.model_copy(
            update={"activation": activation, "weight_initializer": weight, "bias_initializer": bias}
        )

    def _check_legacy(self, path: Path, drawn: Initializer | None, written: Initializer | None) -> None:
        if drawn is not None and not drawn.legacy:
            what = drawn.part_name() if written is not None else "the default initializer"
            message = f"the legacy generator draws normal distributions that are not cut, and {what} is another"
            hint = 'weight_initializer = { type = "variance_scaling", distribution = "untruncated_normal" }'
            self.report(
                "legacy-initializer", message, path if written is not None else ("random_generator",), hint=hint
            )


def _sizes(network: NetworkSpec, outputs: int) -> list[tuple[int, Path]]:
    """Return the size of each layer of a stack and where it was written."""
    sizes: list[tuple[int, Path]]
    if network.layer_sizes is not None:
        sizes = [(size, ("network", "layer_sizes", index)) for index, size in enumerate(network.layer_sizes)]
        return sizes[1:]
    path: Path = ("network", "hidden_layer_sizes")
    sizes = [(size, (*path, index)) for index, size in enumerate(network.hidden_layer_sizes or ())]
    return [*sizes, (outputs or 1, path)]
