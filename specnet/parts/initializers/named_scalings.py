"""Settings of `VarianceScaling` that have a name of their own."""

from typing import ClassVar, Literal

from specnet.parts.initializers.base import Place
from specnet.parts.initializers.distributions import Distributed, Distribution, Mode, scaled


class Scaled(Distributed):
    """What `VarianceScaling` draws with settings that have a name of their own."""

    scaling: ClassVar[tuple[float, Mode, Distribution]]
    """Its scale, mode and distribution."""

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return scaled(place, *self.scaling)


class GlorotUniform(Scaled):
    """Uniform with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010)."""

    aliases = ("xavier_uniform",)
    scaling = (1, "fan_avg", "uniform")
    type: Literal["glorot_uniform"] = "glorot_uniform"


class GlorotNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010).

    PyTorch's ``xavier_normal_`` is not truncated.
    """

    aliases = ("xavier_normal",)
    scaling = (1, "fan_avg", "truncated_normal")
    type: Literal["glorot_normal"] = "glorot_normal"


class HeUniform(Scaled):
    """Uniform with variance 2/fan_in, for rectifiers (He et al. 2015)."""

    aliases = ("kaiming_uniform",)
    scaling = (2, "fan_in", "uniform")
    type: Literal["he_uniform"] = "he_uniform"


class HeNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 2/fan_in, for rectifiers (He et al. 2015).

    PyTorch's ``kaiming_normal_`` is not truncated.
    """

    aliases = ("kaiming_normal",)
    scaling = (2, "fan_in", "truncated_normal")
    type: Literal["he_normal"] = "he_normal"


class LecunUniform(Scaled):
    """Uniform with variance 1/fan_in (LeCun et al. 1998)."""

    scaling = (1, "fan_in", "uniform")
    type: Literal["lecun_uniform"] = "lecun_uniform"


class LecunNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 1/fan_in, as selu needs (LeCun et al. 1998)."""

    scaling = (1, "fan_in", "truncated_normal")
    type: Literal["lecun_normal"] = "lecun_normal"
