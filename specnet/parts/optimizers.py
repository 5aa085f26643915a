"""Optimizers, written over the flat parameter vector in the language of the compiler."""

import math
from collections.abc import Callable, Iterator
from typing import Annotated, ClassVar, Literal, Protocol

from annotated_types import Gt, Lt
from pydantic import Field

from specnet.compiler import Value, absolute, maximum, minimum, sign, sqrt
from specnet.errors import Path
from specnet.parts.fields import Fraction, NonNegativeNumber, PositiveInteger, PositiveNumber
from specnet.parts.kind import PartKind
from specnet.parts.part import FieldProblem, written
from specnet.parts.schedules import Constant, ReduceOnPlateau, Schedule

Commits = list[tuple[Value, Value]]
ScalarLookup = Callable[[str], Value]
OpenFraction = Annotated[float, Gt(0), Lt(1)]

NEGLIGIBLE = 1e-17
"""What 1 − x does not see."""


class StateLookup(Protocol):
    """Gives an optimizer what it keeps from step to step."""

    def __call__(self, name: str, start: float = 0.0) -> Value:
        """Return a vector of theta's layout, all of it `start` before the first step."""


class Optimizer(PartKind):
    """An update rule for the parameters."""

    kind: ClassVar[str] = "optimizer"
    full_batch_only: ClassVar[bool] = False
    """Whether each step has to see the gradient of all rows."""

    @property
    def decay(self) -> float:
        """Return the share of each weight that a step takes away, times the learning rate."""
        return 0.0

    def plateaus(self) -> Iterator[tuple[Path, ReduceOnPlateau]]:
        """Yield the schedule, or the part of one, that is told a figure after each epoch, with its path."""
        yield from ()


class SteppingOptimizer(Optimizer):
    """An optimizer that answers each gradient with one step.

    All values are flat vectors of the trainable parameters' layout: theta, the gradient, and the optimizer's own
    states. Numbers that change with the step come from `scalars` and are inputs of the update.
    """

    learning_rate: PositiveNumber
    schedule: Schedule = Field(Constant(), description="learning-rate schedule, a factor on learning_rate")

    def plateaus(self) -> Iterator[tuple[Path, ReduceOnPlateau]]:
        for path, plateau in self.schedule.plateaus():
            yield ("schedule", *path), plateau

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        """Return the numbers of a step, counted from 1, at a learning rate."""
        return {"rate": rate}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        """Return what theta and the states become: pairs of a state and its new value."""
        raise NotImplementedError(f"{type(self).__name__} has no update")


class DecayingOptimizer(SteppingOptimizer):
    """A stepping optimizer that also shrinks the weights, apart from the gradient (Loshchilov and Hutter 2019)."""

    weight_decay: NonNegativeNumber = Field(
        0.0,
        description="decoupled weight decay: fraction of each weight subtracted per step, times the learning rate",
    )

    @property
    def decay(self) -> float:
        return self.weight_decay


class Sgd(DecayingOptimizer):
    """Gradient descent: v ← μ·v + g, θ ← θ − lr·v; with nesterov θ ← θ − lr·(g + μ·v) (Sutskever et al. 2013).

    Keras and scikit-learn keep the learning rate inside v; equal as long as the rate is constant.
    """

    type: Literal["sgd"] = "sgd"
    learning_rate: PositiveNumber = Field(0.01, description="learning rate")
    momentum: Fraction = Field(0.0, description="μ, momentum")
    nesterov: bool = Field(False, description="use Nesterov momentum")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        if not self.momentum:
            return [(theta, theta - gradient * scalar("rate"))]
        velocity = state("velocity") * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return [(state("velocity"), velocity), (theta, theta - direction * scalar("rate"))]


class _AdaptiveMoments(DecayingOptimizer):
    """What keeps running means of the gradient and of its square."""

    learning_rate: PositiveNumber = Field(
        0.001, description="learning rate, about the largest change of a parameter per step"
    )
    beta_1: Fraction = Field(0.9, description="β₁, decay rate of the mean gradient")
    beta_2: Fraction = Field(0.999, description="β₂, decay rate of the mean squared gradient")
    epsilon: PositiveNumber = Field(1e-8, description="ε, constant added to the divisor for stability")

    def _mean(self, gradient: Value, state: StateLookup) -> Value:
        return _nearer(state("mean"), gradient, 1 - self.beta_1)

    def _square(self, gradient: Value, state: StateLookup) -> Value:
        return _nearer(state("square"), gradient * gradient, 1 - self.beta_2)


class _AdamFamily(_AdaptiveMoments):
    """What adam and adamw share."""

    amsgrad: bool = Field(False, description="use the AMSGrad variant")

    # The states are m/(1 − β₁) and v/(1 − β₂), sums that fade: that takes two passes fewer over all parameters.
    def scalars(self, step: int, rate: float) -> dict[str, float]:
        root = math.sqrt((1 - self.beta_2**step) / (1 - self.beta_2))
        return {"rate": rate * root * (1 - self.beta_1) / (1 - self.beta_1**step), "epsilon": self.epsilon * root}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        total = state("sum") * self.beta_1 + gradient
        squares = state("sum_of_squares") * self.beta_2 + gradient * gradient
        commits, size = [(state("sum"), total), (state("sum_of_squares"), squares)], squares
        if self.amsgrad:
            size = maximum(state("largest_sum"), squares)
            commits.append((state("largest_sum"), size))
        step = total / (sqrt(size) + scalar("epsilon"))
        return [*commits, (theta, theta - step * scalar("rate"))]


class Adam(_AdamFamily):
    """Adam (Kingma and Ba 2015): m ← β₁·m + (1−β₁)·g, v ← β₂·v + (1−β₂)·g², θ ← θ − lr·m̂/(√v̂ + ε).

    m̂ and v̂ are m and v divided by 1 − β₁ᵗ and 1 − β₂ᵗ. ε is added to the corrected √v̂, as in PyTorch; Keras and
    scikit-learn add it to the uncorrected one. With amsgrad, v̂ is the largest so far (Reddi et al. 2018).
    """

    type: Literal["adam"] = "adam"


class AdamW(_AdamFamily):
    """Adam with decoupled weight decay: θ ← θ − lr·weight_decay·θ for weights (Loshchilov and Hutter 2019)."""

    type: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeNumber = Field(
        0.01,
        description="decoupled weight decay: fraction of each weight subtracted per step, times the learning rate",
    )


class Nadam(_AdaptiveMoments):
    """Adam with Nesterov momentum (Dozat 2016).

    With μₜ = β₁·(1 − ½·0.96^(t·ψ)) and Mₜ = μ₁·…·μₜ: m̂ = μₜ₊₁·m/(1 − Mₜ₊₁) + (1 − μₜ)·g/(1 − Mₜ), else as adam. As in
    PyTorch; Keras has ψ = 1 built in, and lr 0.001.
    """

    type: Literal["nadam"] = "nadam"
    learning_rate: PositiveNumber = Field(
        0.002, description="learning rate, about the largest change of a parameter per step"
    )
    momentum_decay: NonNegativeNumber = Field(0.004, description="ψ, speed at which μ rises from β₁/2 to β₁")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        correction = math.sqrt(1 - self.beta_2**step)
        product, following = self._momentum_product(step), self._momentum(step + 1)
        return {
            "rate": rate * correction,
            "epsilon": self.epsilon * correction,
            "mean_share": following / (1 - product * following),
            "gradient_share": (1 - self._momentum(step)) / (1 - product),
        }

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean, square = self._mean(gradient, state), self._square(gradient, state)
        ahead = mean * scalar("mean_share") + gradient * scalar("gradient_share")
        step = ahead / (sqrt(square) + scalar("epsilon"))
        return [(state("mean"), mean), (state("square"), square), (theta, theta - step * scalar("rate"))]

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * math.pow(0.96, step * self.momentum_decay))

    def _momentum_product(self, step: int) -> float:
        """Return μ₁·…·μₜ, which is at most β₁ᵗ, in a time that does not grow with t.

        ln(1 − q/2) = −Σ (q/2)ʲ/j, and over the steps each term of it is a geometric series.
        """
        if self.beta_1**step < NEGLIGIBLE:
            return 0.0
        rise = math.log(0.96) * self.momentum_decay
        logarithm = step * math.log(self.beta_1)
        for j in range(1, 51):
            series = math.exp(j * rise) * math.expm1(j * step * rise) / math.expm1(j * rise) if rise else step
            logarithm -= 0.5**j / j * series
        return math.exp(logarithm)


class Radam(_AdaptiveMoments):
    """Rectified Adam (Liu et al. 2020): adam with shorter steps while v̂ is based on few gradients.

    With ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ): θ ← θ − lr·r·√(1 − β₂ᵗ)·m̂/(√v + ε), where
    r² = (ρ−4)(ρ−2)ρ∞/((ρ∞−4)(ρ∞−2)ρ); while ρ ≤ 5, θ ← θ − lr·m̂. ε is added to the uncorrected √v, as in PyTorch.
    """

    type: Literal["radam"] = "radam"

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        kept = self.beta_2**step
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * step * kept / (1 - kept)
        rate /= 1 - self.beta_1**step
        if length <= 5:
            return {"rate": rate, "root_share": 0.0, "offset": 1.0}
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return {"rate": rate * math.sqrt(rectified * (1 - kept)), "root_share": 1.0, "offset": self.epsilon}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean, square = self._mean(gradient, state), self._square(gradient, state)
        step = mean / (sqrt(square) * scalar("root_share") + scalar("offset"))
        return [(state("mean"), mean), (state("square"), square), (theta, theta - step * scalar("rate"))]


class Adamax(_AdaptiveMoments):
    """Adam with the infinity norm (Kingma and Ba 2015): u ← max(β₂·u, abs g + ε), θ ← θ − lr·m̂/u.

    As in PyTorch; Keras adds ε to u afterwards, and its lr is 0.001.
    """

    type: Literal["adamax"] = "adamax"
    learning_rate: PositiveNumber = Field(
        0.002, description="learning rate, about the largest change of a parameter per step"
    )
    beta_2: Fraction = Field(0.999, description="β₂, decay rate of the largest gradient")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {"rate": rate / (1 - self.beta_1**step)}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean = self._mean(gradient, state)
        largest = maximum(state("largest") * self.beta_2, absolute(gradient) + self.epsilon)
        return [(state("mean"), mean), (state("largest"), largest), (theta, theta - mean / largest * scalar("rate"))]


class Rmsprop(DecayingOptimizer):
    """Gradients divided by their recent magnitude (Hinton 2012): v ← ρ·v + (1−ρ)·g², θ ← θ − lr·g/(√v + ε).

    Centered (Graves 2013), the divisor is √(v − m²) + ε with m ← ρ·m + (1−ρ)·g; with momentum,
    b ← μ·b + g/(√v + ε), θ ← θ − lr·b. As in PyTorch; Keras adds ε within the root, and has ρ 0.9 and lr 0.001.
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
        square = variance = _nearer(state("square"), gradient * gradient, 1 - self.rho)
        commits = [(state("square"), square)]
        if self.centered:
            mean = _nearer(state("mean"), gradient, 1 - self.rho)
            # Rounding takes a variance of nearly 0 below it.
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
        square = _nearer(state("square"), gradient * gradient, 1 - self.rho)
        step = gradient * (sqrt(state("step_square") + self.epsilon) / sqrt(square + self.epsilon))
        step_square = _nearer(state("step_square"), step * step, 1 - self.rho)
        commits = [(state("square"), square), (state("step_square"), step_square)]
        return [*commits, (theta, theta - step * scalar("rate"))]


class Rprop(SteppingOptimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): the sign of the gradient and a step size per parameter.

    The step size grows by eta_plus while the sign stays the same; when it changes, the size shrinks by eta_minus and
    the parameter skips one step, as in PyTorch (iRprop⁻, Igel and Hüsken 2000). Needs the full batch. A schedule
    multiplies the steps, not the stored sizes.
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
        turned = minimum(agreement, 0)
        change = 1 + maximum(agreement, 0) * (self.eta_plus - 1) + turned * (1 - self.eta_minus)
        new_size = minimum(maximum(size * change, self.step_min), self.step_max)
        new_heading = sign(gradient) * (1 + turned)
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
        direction = sign(_nearer(mean, gradient, 1 - self.beta_1))
        new_mean = _nearer(mean, gradient, 1 - self.beta_2)
        return [(mean, new_mean), (theta, theta - direction * scalar("rate"))]


class Lbfgs(Optimizer):
    """Limited-memory BFGS, a quasi-Newton method with line search (Liu and Nocedal 1989).

    SciPy's L-BFGS-B over all parameters; an epoch is an iteration. There is no learning rate: the line search finds the
    step lengths. For small networks on few rows, where it is far more accurate than any other optimizer.
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


def _nearer(old: Value, new: Value, share: float) -> Value:
    """Return what lies between two values, that share of the way to the new one."""
    return old + (new - old) * share
