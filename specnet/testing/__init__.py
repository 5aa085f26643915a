'''Checks of parts for their authors; specnet's built-in parts pass the same checks.

`check_part` takes the class of a part, and for most kinds a plain NumPy function with the same results. It raises an
AssertionError, which names the part and the mistake, if the results differ, if a derivative is wrong, if the slope at a
kink is not between the slopes on its left and right, if a result at ±20 or ±1000 is not exact, if float32 becomes
float64, or if the JSON Schema and the engine disagree on valid fields. `check_layer` does the same for layers.

>>> from typing import Literal
>>> import numpy as np
>>> from pydantic import Field
>>> from specnet.parts import Activation, PositiveNumber, sin
>>> from specnet.testing import check_part
>>> class Snake(Activation):
...     """x + sin²(a·x)/a: periodic, keeps a trend (Ziyin et al. 2020)."""
...
...     type: Literal["snake"] = "snake"
...     frequency: PositiveNumber = Field(1.0, description="a, in radians per unit of input")
...
...     def expression(self, x):
...         return x + sin(self.frequency * x) ** 2 / self.frequency

>>> def snake(x, frequency=1.0):
...     return x + np.sin(frequency * x) ** 2 / frequency

>>> check_part(Snake, snake, settings=[{}, {"frequency": 2.5}])

>>> def wrong(x, frequency=1.0):
...     return x + np.sin(frequency * x) ** 2 * frequency

>>> check_part(Snake, wrong, settings=[{"frequency": 2.5}])  # doctest: +ELLIPSIS
Traceback (most recent call last):
AssertionError: activation snake with frequency = 2.5: its value in float64 is ... at [0, 0]; expected ...
'''

from specnet.testing.checks import check_layer, check_part

__all__ = ["check_layer", "check_part"]
