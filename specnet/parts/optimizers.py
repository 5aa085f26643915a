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
    """What is done with the gradient."""

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
    schedule: Schedule = Field(Constant(), description="the course of the learning rate, as a factor on it")

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
        0.0, description="share of each weight taken away per step, times the learning rate; biases are left alone"
    )

    @property
    def decay(self) -> float:
        return self.weight_decay


class Sgd(DecayingOptimizer):
    """Gradient descent: v ← μ·v + g, θ ← θ − lr·v; with nesterov θ ← θ − lr·(g + μ·v) (Sutskever et al. 2013).

    Keras and scikit-learn keep the learning rate inside v, which is the same until it changes.
    """

    type: Literal["sgd"] = "sgd"
    learning_rate: PositiveNumber = Field(0.01, description="lr, the step's length per unit of gradient")
    momentum: Fraction = Field(0.0, description="μ, the share of the last direction that is kept")
    nesterov: bool = Field(
        False, description="whether the gradient is taken as if the momentum had been followed already"
    )

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        if not self.momentum:
            return [(theta, theta - gradient * scalar("rate"))]
        velocity = state("velocity") * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return [(state("velocity"), velocity), (theta, theta - direction * scalar("rate"))]


class _AdaptiveMoments(DecayingOptimizer):
    """What keeps running means of the gradient and of its square."""

    learning_rate: PositiveNumber = Field(0.001, description="lr, about the largest change of a parameter in a step")
    beta_1: Fraction = Field(0.9, description="β₁, the share of the mean gradient that is kept")
    beta_2: Fraction = Field(0.999, description="β₂, the share of the mean squared gradient that is kept")
    epsilon: PositiveNumber = Field(1e-8, description="ε, which keeps the divisor from 0")

    def _mean(self, gradient: Value, state: StateLookup) -> Value:
        return _nearer(state("mean"), gradient, 1 - self.beta_1)

    def _square(self, gradient: Value, state: StateLookup) -> Value:
        return _nearer(state("square"), gradient * gradient, 1 - self.beta_2)


class _AdamFamily(_AdaptiveMoments):
    """What adam and adamw share."""

    amsgrad: bool = Field(False, description="whether the divisor never shrinks")

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
    """Adam with decoupled weight decay: weights also lose the share lr·weight_decay (Loshchilov and Hutter 2019)."""

    type: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeNumber = Field(
        0.01, description="share of each weight taken away per step, times the learning rate; biases are left alone"
    )


class Nadam(_AdaptiveMoments):
    """Adam with Nesterov's momentum (Dozat 2016): m̂ looks one step ahead.

    With μₜ = β₁·(1 − ½·0.96^(t·ψ)) and Mₜ = μ₁·…·μₜ: m̂ = μₜ₊₁·m/(1 − Mₜ₊₁) + (1 − μₜ)·g/(1 − Mₜ), else as adam. As in
    PyTorch; Keras has ψ = 1 built in, and lr 0.001.
    """

    type: Literal["nadam"] = "nadam"
    learning_rate: PositiveNumber = Field(0.002, description="lr, about the largest change of a parameter in a step")
    momentum_decay: NonNegativeNumber = Field(0.004, description="ψ, how fast μ rises from β₁/2 to β₁")

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
    """Rectified Adam (Liu et al. 2020): adam whose steps are short while v̂ rests on few gradients.

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
    """Adam by the largest gradient (Kingma and Ba 2015): u ← max(β₂·u, abs g + ε), θ ← θ − lr·m̂/u.

    As in PyTorch; Keras adds ε to u outside, and its lr is 0.001.
    """

    type: Literal["adamax"] = "adamax"
    learning_rate: PositiveNumber = Field(0.002, description="lr, about the largest change of a parameter in a step")
    beta_2: Fraction = Field(0.999, description="β₂, the share of the largest gradient that is kept")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {"rate": rate / (1 - self.beta_1**step)}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean = self._mean(gradient, state)
        largest = maximum(state("largest") * self.beta_2, absolute(gradient) + self.epsilon)
        return [(state("mean"), mean), (state("largest"), largest), (theta, theta - mean / largest * scalar("rate"))]


class Rmsprop(DecayingOptimizer):
    """Gradients by their recent size (Hinton 2012): v ← ρ·v + (1−ρ)·g², θ ← θ − lr·g/(√v + ε).

    Centered (Graves 2013), the divisor is √(v − m²) + ε with m ← ρ·m + (1−ρ)·g; with momentum,
    b ← μ·b + g/(√v + ε), θ ← θ − lr·b. As in PyTorch; Keras adds ε within the root, and has ρ 0.9 and lr 0.001.
    """

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: PositiveNumber = Field(0.01, description="lr, about the usual change of a parameter in a step")
    rho: Fraction = Field(0.99, description="ρ, the share of the mean squared gradient that is kept")
    epsilon: PositiveNumber = Field(1e-8, description="ε, which keeps the divisor from 0")
    momentum: Fraction = Field(0.0, description="μ, the share of the last direction that is kept")
    centered: bool = Field(False, description="whether the gradient's variance divides, not its mean square")

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
    """Gradients by all that came before (Duchi et al. 2011): s ← s + g², θ ← θ − lr·g/(√s + ε).

    As in PyTorch; Keras starts s at 0.1, adds ε = 1e-7 within the root, and has lr 0.001.
    """

    type: Literal["adagrad"] = "adagrad"
    learning_rate: PositiveNumber = Field(0.01, description="lr, the first change of a parameter")
    initial_accumulator_value: NonNegativeNumber = Field(0.0, description="s before the first step")
    epsilon: PositiveNumber = Field(1e-10, description="ε, which keeps the divisor from 0")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        past = state("sum", self.initial_accumulator_value)
        total = past + gradient * gradient
        step = gradient / (sqrt(total) + self.epsilon)
        return [(past, total), (theta, theta - step * scalar("rate"))]


class Adadelta(DecayingOptimizer):
    """Steps in the parameters' own units (Zeiler 2012): δ = g·√(d + ε)/√(v + ε), θ ← θ − lr·δ.

    v ← ρ·v + (1−ρ)·g² before that, d ← ρ·d + (1−ρ)·δ² after it. As in PyTorch; Keras has ρ 0.95, ε 1e-7, lr 0.001.
    """

    type: Literal["adadelta"] = "adadelta"
    learning_rate: PositiveNumber = Field(1.0, description="lr, a factor on the steps that the rule finds")
    rho: Fraction = Field(0.9, description="ρ, the share of both means of squares that is kept")
    epsilon: PositiveNumber = Field(1e-6, description="ε, from which the steps grow at the start")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        square = _nearer(state("square"), gradient * gradient, 1 - self.rho)
        step = gradient * (sqrt(state("step_square") + self.epsilon) / sqrt(square + self.epsilon))
        step_square = _nearer(state("step_square"), step * step, 1 - self.rho)
        commits = [(state("square"), square), (state("step_square"), step_square)]
        return [*commits, (theta, theta - step * scalar("rate"))]


class Rprop(SteppingOptimizer):
    """Signs alone (Riedmiller and Braun 1993): each parameter has a step size, and goes that far against its gradient.

    The size grows by eta_plus while the sign stays; where it turns, it shrinks by eta_minus and the parameter waits one
    step, as in PyTorch (iRprop⁻, Igel and Hüsken 2000). Signs of a batch's gradient say little of the whole: all
    rows are needed. A schedule multiplies the steps, and not the sizes that are remembered.
    """

    full_batch_only = True
    type: Literal["rprop"] = "rprop"
    learning_rate: PositiveNumber = Field(0.01, description="the size of the first step")
    eta_minus: OpenFraction = Field(0.5, description="what the size is multiplied by where the sign turns")
    eta_plus: Annotated[float, Gt(1)] = Field(1.2, description="what the size is multiplied by where the sign stays")
    step_min: PositiveNumber = Field(1e-6, description="the smallest size")
    step_max: PositiveNumber = Field(50.0, description="the largest size, not below the smallest")

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
    """The sign of a momentum (Chen et al. 2023): θ ← θ − lr·sign(β₁·m + (1−β₁)·g), then m ← β₂·m + (1−β₂)·g.

    As in optax and Keras (whose lr is 0.001). Every parameter moves by lr: it wants a third to a tenth of adam's rate.
    """

    type: Literal["lion"] = "lion"
    learning_rate: PositiveNumber = Field(1e-4, description="lr, the change of every parameter in a step")
    beta_1: Fraction = Field(0.9, description="β₁, the share of the mean in the direction")
    beta_2: Fraction = Field(0.99, description="β₂, the share of the mean that is kept")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean = state("mean")
        direction = sign(_nearer(mean, gradient, 1 - self.beta_1))
        new_mean = _nearer(mean, gradient, 1 - self.beta_2)
        return [(mean, new_mean), (theta, theta - direction * scalar("rate"))]


class Lbfgs(Optimizer):
    """Quasi-Newton: the curvature from the last steps' gradients, and a line search (Liu and Nocedal 1989).

    SciPy's L-BFGS-B over the whole vector; an epoch is an iteration. It finds its own step lengths, so that there is no
    learning rate. For small networks on few rows, where it is far more exact than any other optimizer.
    """

    full_batch_only = True
    type: Literal["lbfgs"] = "lbfgs"
    history_size: PositiveInteger = Field(10, description="steps from which the curvature is known")
    tolerance: NonNegativeNumber = Field(
        1e-9, description="it ends where an iteration gains less than this share of the loss, or no gradient is larger"
    )
    max_evaluations: PositiveInteger | None = Field(
        None, description="gradients after which it ends, those of line searches included; no limit if not said"
    )


def _nearer(old: Value, new: Value, share: float) -> Value:
    """Return what lies between two values, that share of the way to the new one."""
    return old + (new - old) * share
