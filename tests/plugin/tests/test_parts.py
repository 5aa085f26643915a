"""The package's parts pass specnet's checks, and are what plain NumPy says."""

import numpy as np
from specnet_waves import Shift, Snake

from specnet.testing import check_layer, check_part


def test_snake():
    def snake(x, frequency=1.0):
        return x + np.sin(frequency * x) ** 2 / frequency

    check_part(Snake, snake, settings=[{}, {"frequency": 0.3}, {"frequency": 5}])


def test_shift():
    def shift(x, parameters, initializer="zeros"):
        return x + parameters["shift"]

    check_layer(Shift, shift, settings=[{}, {"initializer": "ones"}])
