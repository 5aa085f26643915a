"""The long form of a network: dense layers in place of sizes, activations and initializers where a spec names none."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from specnet.errors import Path
from specnet.number_texts import counted
from specnet.parts.activations import Activation, Relu
from specnet.parts.initializers import Initializer
from specnet.parts.layers import ActivationLayer, Dense, Layer
from specnet.parts.part import Part
from specnet.spec.document import NetworkSpec, Problems, Spec

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
    first : Layer, optional
        What preprocessing puts before all layers.

    Attributes
    ----------
    layers : tuple of Layer
    """

    def __init__(self, spec: Spec, outputs: int, problems: Problems, first: Layer | None = None) -> None:
        self.registry, self.report, self.written = spec.registry, problems.report, problems.written
        self.legacy = spec.random_generator == "legacy"
        network = spec.network
        self.initializers = {
            "weight_initializer": network.weight_initializer,
            "bias_initializer": network.bias_initializer,
        }
        output_activation = self.part(Activation, spec.training.loss.output_activation)
        if network.layers is None:
            layers = self._stack(network, outputs, output_activation)
        else:
            layers = self._with_output(network.layers, output_activation)
        if first is not None:
            layers = self._after(first, layers)
        self.layers = tuple(self._filled(layers, LAYERS))

    def _after(self, first: Layer, layers: list[Layer]) -> list[Layer]:
        """Return the layers behind another one, which preprocessing asks for."""
        written: dict[Path, Path] = {(*LAYERS, index + 1): (*LAYERS, index) for index in range(len(layers))}
        written |= {(*LAYERS, int(path[2]) + 1, *path[3:]): source for path, source in self.written.items()}
        self.written.clear()
        self.written.update({**written, (*LAYERS, 0): ("network", "preprocessing")})
        return [first, *layers]

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
            for name in self.initializers:
                self.written[*here, name] = ("network", name)
            if isinstance(network.activations, tuple):
                self.written[*here, "activation"] = ("network", "activations", index)
            elif network.activations is not None and index < len(sizes) - 1:
                self.written[*here, "activation"] = ("network", "activations")
            layers.append(Dense(units=units, activation=activation))
        return layers

    def _activations(
        self, given: Activation | tuple[Activation, ...] | None, count: int, output: Activation
    ) -> list[Activation]:
        """Return an activation for each of the layers of a stack."""
        if not isinstance(given, tuple):
            return [*[given or Relu()] * (count - 1), output]
        if len(given) != count:
            message = f"got {counted(len(given), 'activation')} for {counted(count, 'layer')}"
            hint = "give one per layer, or a single one for all hidden layers"
            self.report("activation-count", message, ("network", "activations"), hint=hint)
        return [*given, *[output] * count][:count]

    def _with_output(self, layers: Sequence[Layer], output_activation: Activation) -> list[Layer]:
        """Return the layers with the loss's activation at their end, where they end in none."""
        last = layers[-1].with_activation(output_activation) if layers else None
        if last is not None:
            return [*layers[:-1], last]
        self.written[*LAYERS, len(layers)] = (*LAYERS, len(layers) - 1) if layers else LAYERS
        return [*layers, ActivationLayer(activation=output_activation)]

    def _filled(self, layers: Sequence[Layer], path: Path) -> Iterator[Layer]:
        for index, layer in enumerate(layers):
            here = (*path, index)
            if layer.layers_field is not None:
                yield layer.with_inner_layers(tuple(self._filled(layer.inner_layers, (*here, layer.layers_field))))
            else:
                after = layers[index + 1] if index + 1 < len(layers) else None
                yield layer.with_defaults(_Place(self, here, _activation_of(after, layer)))


class _Place(NamedTuple):
    """Where a layer stands, as it is told of it."""

    long_form: LongForm
    path: Path
    activation_after: Activation | None

    def initializer(self, field: str, own: Initializer | None, default: Initializer) -> Initializer:
        of_all = self.long_form.initializers.get(field)
        place: Path
        drawn, what, place = default, "the default initializer", ("random_generator",)
        if own is not None:
            drawn, what, place = own, own.part_name(), (*self.path, field)
        elif of_all is not None:
            drawn, what, place = of_all, of_all.part_name(), ("network", field)
        if self.long_form.legacy and not drawn.legacy:
            message = f"the legacy generator supports only untruncated normal distributions, got {what}"
            drawn_alike = '{ type = "variance_scaling", distribution = "untruncated_normal" }'
            hint = f"set {field} = {drawn_alike} in network, or in each of network.layers"
            self.long_form.report("legacy-initializer", message, place, hint=hint)
        return drawn

    def initializer_before(self, activation: Activation) -> Initializer:
        found: Initializer = self.long_form.part(Initializer, activation.default_initializer)
        return found


def _activation_of(after: Layer | None, layer: Layer) -> Activation | None:
    """Return the activation that a layer is, if it reads the one before it and is nothing else."""
    if after is None or after.inputs not in (None, (layer.name,)):
        return None
    rest, activation = after.split_activation()
    return activation if rest is None else None


def _sizes(network: NetworkSpec, outputs: int) -> list[tuple[int, Path]]:
    """Return the size of each layer of a stack and where it was written."""
    sizes: list[tuple[int, Path]]
    if network.layer_sizes is not None:
        sizes = [(size, ("network", "layer_sizes", index)) for index, size in enumerate(network.layer_sizes)]
        return sizes[1:]
    path: Path = ("network", "hidden_layer_sizes")
    sizes = [(size, (*path, index)) for index, size in enumerate(network.hidden_layer_sizes or ())]
    return [*sizes, (outputs or 1, path)]
