"""Methods that estimate the curvature of the loss."""

from typing import Any, Literal

from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveInteger
from specnet.parts.optimizers.base import Optimizer


class Lbfgs(Optimizer):
    """Limited-memory BFGS, a quasi-Newton method with line search (Liu and Nocedal 1989).

    θ ← θ − s·H·g, where the last `history_size` steps make H, an estimate of the inverse Hessian, and a line search
    finds the length s: there is no learning rate. SciPy's L-BFGS-B over all parameters; an epoch is an iteration. For
    small networks on few rows, where it is far more accurate than any other optimizer.
    """

    full_batch_only = True
    type: Literal["lbfgs"] = "lbfgs"
    history_size: PositiveInteger = Field(10, description="number of past steps used to estimate the curvature")
    tolerance: NonNegativeNumber = Field(
        1e-9, description="stop when the relative decrease of the loss, or the largest gradient entry, falls below this"
    )
    max_evaluations: PositiveInteger | None = Field(
        None, description="maximum number of gradient evaluations, line searches included; default: no limit"
    )

    def minimize_arguments(self, epochs: int) -> dict[str, Any]:
        options = {"maxcor": self.history_size, "maxiter": epochs, "maxls": 50}
        options["maxfun"] = self.max_evaluations or 2**31 - 1
        return {"method": "L-BFGS-B", "tol": self.tolerance, "options": options}
