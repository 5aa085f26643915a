"""The long form of a network: dense layers in place of sizes, activations and initializers where a spec names none."""

from collections.abc import Iterator, Sequence
from typing import Any

from specnet.errors import Path
from specnet.parts.activations import Activation, Linear, Relu
from specnet.parts.initializers import Initializer, Zeros
from specnet.parts.layers import ActivationLayer, Block, Dense, Layer
from specnet.parts.part import Part
from specnet.spec.document import NetworkSpec, Spec
from specnet.spec.problems import Problems

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
        if network.layer_sizes is not None:
            sizes, key, offset = network.layer_sizes[1:], "layer_sizes", 1
        else:
            sizes, key, offset = (*(network.hidden_layer_sizes or ()), outputs or 1), "hidden_layer_sizes", 0
        listed = isinstance(network.activations, tuple)
        activations: Sequence[Activation]
        if isinstance(network.activations, tuple):
            activations = network.activations
            if len(activations) != len(sizes):
                message = f"{len(activations)} activations for {len(sizes)} layers"
                hint = "one for each layer after the inputs, or a single one for all hidden layers"
                self.report("activation-count", message, ("network", "activations"), hint=hint)
                activations = (*activations, *[output_activation] * len(sizes))[: len(sizes)]
        else:
            activations = (*[network.activations or Relu()] * (len(sizes) - 1), output_activation)
        layers: list[Layer] = []
        for index, (units, activation) in enumerate(zip(sizes, activations, strict=True)):
            here = (*LAYERS, index)
            known = index + offset < len(network.layer_sizes or network.hidden_layer_sizes or ())
            self.written[here] = self.written[*here, "units"] = (
                ("network", key, index + offset) if known else ("network", key)
            )
            if listed or (network.activations is not None and index < len(sizes) - 1):
                self.written[*here, "activation"] = ("network", "activations", *([index] if listed else []))
            for name in ("weight_initializer", "bias_initializer"):
                self.written[*here, name] = ("network", name)
            layers.append(
                Dense(
                    units=units,
                    activation=activation,
                    weight_initializer=network.weight_initializer,
                    bias_initializer=network.bias_initializer,
                )
            )
        return layers

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
        follows = isinstance(after, ActivationLayer) and after.inputs in (None, (layer.name,))
        if isinstance(activation, Linear) and isinstance(after, ActivationLayer) and follows:
            before = after.activation
        weight = layer.weight_initializer or self.part(Initializer, before.default_initializer)
        bias = layer.bias_initializer
        if bias is not None and not layer.use_bias:
            message = "there is no bias to initialize"
            self.report("bias-initializer", message, (*here, "bias_initializer"), hint="use_bias is false")
        elif bias is None and layer.use_bias:
            bias = weight if weight.decides_bias else Zeros()
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
