"""Steps scaled for each parameter by its past gradients, or by their signs."""

from collections.abc import Iterator
from typing import Annotated, Literal

from annotated_types import Gt
from pydantic import Field

from specnet.compiler import Value, maximum, minimum, sign, sqrt
from specnet.parts.fields import Fraction, NonNegativeNumber, OpenFraction, PositiveNumber
from specnet.parts.optimizers.base import (
    Commits,
    DecayingOptimizer,
    ScalarLookup,
    StateLookup,
    SteppingOptimizer,
    nearer,
)
from specnet.parts.part import FieldProblem, written


class Rmsprop(DecayingOptimizer):
    """Gradients divided by their recent magnitude (Hinton 2012): v ← ρ·v + (1−ρ)·g², θ ← θ − lr·g/(√v + ε).

    Centered (Graves 2013), the divisor is √(v − m²) + ε with m ← ρ·m + (1−ρ)·g; with momentum,
    b ← μ·b + g/(√v + ε), θ ← θ − lr·b. As in PyTorch; Keras adds ε, 1e-7, within the root, and has ρ 0.9 and lr 0.001.
    """

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: PositiveNumber = Field(
        0.01, description="learning rate, about the typical change of a parameter per step"
    )
    rho: Fraction = Field(0.99, description="ρ, decay rate of the mean squared gradient")
    epsilon: PositiveNumber = Field(1e-8, description="ε, constant added to the divisor for stability")
    momentum: Fraction = Field(0.0, description="μ, momentum")
    centered: bool = Field(False, description="divide by the variance of the gradient instead of its mean square")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        square = variance = nearer(state("square"), gradient * gradient, 1 - self.rho)
        commits = [(state("square"), square)]
        if self.centered:
            mean = nearer(state("mean"), gradient, 1 - self.rho)
            # Rounding can make a variance near 0 negative.
            variance = maximum(square - mean * mean, 0)
            commits.append((state("mean"), mean))
        step = gradient / (sqrt(variance) + self.epsilon)
        if self.momentum:
            step = state("velocity") * self.momentum + step
            commits.append((state("velocity"), step))
        return [*commits, (theta, theta - step * scalar("rate"))]


class Adagrad(DecayingOptimizer):
    """Gradients divided by the root of their summed squares (Duchi et al. 2011): s ← s + g², θ ← θ − lr·g/(√s + ε).

    As in PyTorch; Keras starts s at 0.1, adds ε = 1e-7 within the root, and has lr 0.001.
    """

    type: Literal["adagrad"] = "adagrad"
    learning_rate: PositiveNumber = Field(0.01, description="learning rate, the first change of a parameter")
    initial_accumulator_value: NonNegativeNumber = Field(0.0, description="initial value of s")
    epsilon: PositiveNumber = Field(1e-10, description="ε, constant added to the divisor for stability")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        past = state("sum", self.initial_accumulator_value)
        total = past + gradient * gradient
        step = gradient / (sqrt(total) + self.epsilon)
        return [(past, total), (theta, theta - step * scalar("rate"))]


class Adadelta(DecayingOptimizer):
    """Steps scaled to the units of the parameters (Zeiler 2012): δ = g·√(d + ε)/√(v + ε), θ ← θ − lr·δ.

    v ← ρ·v + (1−ρ)·g² before that, d ← ρ·d + (1−ρ)·δ² after it. As in PyTorch; Keras has ρ 0.95, ε 1e-7, lr 0.001.
    """

    type: Literal["adadelta"] = "adadelta"
    learning_rate: PositiveNumber = Field(1.0, description="learning rate, a factor on the computed steps")
    rho: Fraction = Field(0.9, description="ρ, decay rate of both mean squares")
    epsilon: PositiveNumber = Field(1e-6, description="ε, which sets the size of the first steps")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        square = nearer(state("square"), gradient * gradient, 1 - self.rho)
        step = gradient * (sqrt(state("step_square") + self.epsilon) / sqrt(square + self.epsilon))
        step_square = nearer(state("step_square"), step * step, 1 - self.rho)
        commits = [(state("square"), square), (state("step_square"), step_square)]
        return [*commits, (theta, theta - step * scalar("rate"))]


class Rprop(SteppingOptimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): the sign of the gradient and a step size per parameter.

    s ← min(max(η·s, step_min), step_max), θ ← θ − s·sign(g). η is eta_plus while the sign stays the same; when
    it changes, η is eta_minus and the parameter skips one step, as in PyTorch (iRprop⁻, Igel and Hüsken 2000). Needs
    the full batch. A schedule multiplies the steps, not the stored sizes.
    """

    full_batch_only = True
    type: Literal["rprop"] = "rprop"
    learning_rate: PositiveNumber = Field(0.01, description="size of the first step")
    eta_minus: OpenFraction = Field(0.5, description="factor on the step size when the sign changes")
    eta_plus: Annotated[float, Gt(1)] = Field(1.2, description="factor on the step size while the sign stays the same")
    step_min: PositiveNumber = Field(1e-6, description="minimum step size")
    step_max: PositiveNumber = Field(50.0, description="maximum step size")

    def problems(self) -> Iterator[FieldProblem]:
        if self.step_min > self.step_max:
            message = f"step_min {self.step_min} is greater than step_max {self.step_max}"
            yield FieldProblem((written(self, "step_max", "step_min"),), message, "bounds-order")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {"rate": rate / self.learning_rate}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        size, heading = state("size", self.learning_rate), state("heading")
        agreement = sign(gradient) * heading  # 1, 0 or −1; the product of the gradients themselves could underflow
        reversed_ = minimum(agreement, 0)
        change = 1 + maximum(agreement, 0) * (self.eta_plus - 1) + reversed_ * (1 - self.eta_minus)
        new_size = minimum(maximum(size * change, self.step_min), self.step_max)
        new_heading = sign(gradient) * (1 + reversed_)
        step = new_heading * new_size
        return [(size, new_size), (heading, new_heading), (theta, theta - step * scalar("rate"))]


class Lion(DecayingOptimizer):
    """Sign of the momentum (Chen et al. 2023): θ ← θ − lr·sign(β₁·m + (1−β₁)·g), then m ← β₂·m + (1−β₂)·g.

    As in optax and Keras (whose lr is 0.001). Every parameter moves by lr: use a third to a tenth of adam's rate.
    """

    type: Literal["lion"] = "lion"
    learning_rate: PositiveNumber = Field(1e-4, description="learning rate, the change of every parameter per step")
    beta_1: Fraction = Field(0.9, description="β₁, weight of the mean gradient in the direction")
    beta_2: Fraction = Field(0.99, description="β₂, decay rate of the mean gradient")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean = state("mean")
        direction = sign(nearer(mean, gradient, 1 - self.beta_1))
        new_mean = nearer(mean, gradient, 1 - self.beta_2)
        return [(mean, new_mean), (theta, theta - direction * scalar("rate"))]
