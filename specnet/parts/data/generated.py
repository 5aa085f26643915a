"""Generated data: scikit-learn's generators, with the same names, fields and defaults."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.data.base import Data, DataSizes, Table, TargetKind
from specnet.parts.fields import Fraction, Integer, NonNegativeInteger, NonNegativeNumber, PositiveInteger, Seed, Share
from specnet.parts.part import FieldProblem, written

SampleCount = Annotated[Integer, Ge(1), Le(10_000_000)]
Columns = Annotated[Integer, Ge(1), Le(100_000)]
Classes = Annotated[Integer, Ge(2), Le(10_000)]
Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]

LARGEST_TABLE = 100_000_000
"""Maximum count of numbers in a generated table: 800 MB."""


class Generated(Data):
    """Rows drawn by a function of scikit-learn that has the part's name and takes its fields."""

    n_samples: SampleCount = Field(100, description="number of rows")
    shuffle: bool = Field(True, description="shuffle the rows")
    random_state: Seed | None = Field(None, description="seed of the data; default: the seed of the spec")

    @property
    def row_count(self) -> int:
        return self.n_samples

    def load(self, folder: Path, target: TargetKind) -> Table:
        X, y = self.rows()
        return Table(X, y if target == "classes" else y.astype(np.float64), target)

    def rows(self) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return the result of scikit-learn's function: X (rows, columns) and the target."""
        from sklearn import datasets

        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in ("type", "split")}
        X, y = getattr(datasets, self.type)(**fields)
        return X, y

    def with_defaults(self, seed: int, target: TargetKind) -> Self:
        filled = super().with_defaults(seed, target)
        return filled if self.random_state is not None else filled.model_copy(update={"random_state": seed})

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        columns = self.sizes().inputs or 1
        if self.n_samples * columns > LARGEST_TABLE:
            message = f"{self.n_samples} rows of {columns} columns exceed the limit of {LARGEST_TABLE} numbers"
            yield FieldProblem((written(self, "n_samples", "n_features"),), message, "too-large")


class TwoCurves(Generated):
    """Two classes of points in a plane, each on a curve; drawn here, since importing scikit-learn takes a second."""

    fixed_sizes = DataSizes(inputs=2, classes=2, target="classes")
    noise: NonNegativeNumber = Field(0.0, description="standard deviation of the noise added to each coordinate")

    def curves(self, first: int, second: int) -> tuple[Coordinates, Coordinates]:
        """Return the points, as arrays x and y, of each class: `first` points of class 0 and `second` of class 1."""
        raise NotImplementedError(f"{type(self).__name__} has no curves")

    def rows(self) -> tuple[NDArray[np.float64], NDArray[Any]]:
        sizes = self.n_samples // 2, self.n_samples - self.n_samples // 2
        generator = np.random.RandomState(self.random_state)
        X = np.stack([np.append(*both) for both in zip(*self.curves(*sizes), strict=True)]).T
        y = np.repeat(np.arange(2), sizes)
        if self.shuffle:
            order = generator.permutation(len(y))
            X, y = X[order], y[order]
        X += generator.normal(scale=self.noise, size=X.shape)
        return X, y


class MakeMoons(TwoCurves):
    """Two interleaving half circles: the standard test of a nonlinear boundary."""

    type: Literal["make_moons"] = "make_moons"

    def curves(self, first: int, second: int) -> tuple[Coordinates, Coordinates]:
        outer, inner = np.linspace(0, np.pi, first), np.linspace(0, np.pi, second)
        return (np.cos(outer), np.sin(outer)), (1 - np.cos(inner), 1 - np.sin(inner) - 0.5)


class MakeCircles(TwoCurves):
    """A large circle around a small one: two classes that are not linearly separable."""

    type: Literal["make_circles"] = "make_circles"
    factor: Fraction = Field(0.8, description="radius of the inner circle relative to the outer one")

    def curves(self, first: int, second: int) -> tuple[Coordinates, Coordinates]:
        outer, inner = (np.linspace(0, 2 * np.pi, count, endpoint=False) for count in (first, second))
        return (np.cos(outer), np.sin(outer)), (np.cos(inner) * self.factor, np.sin(inner) * self.factor)


class MakeBlobs(Generated):
    """Isotropic Gaussian clusters, one per class."""

    type: Literal["make_blobs"] = "make_blobs"
    n_features: Columns = Field(2, description="columns")
    centers: Classes = Field(3, description="number of clusters, one per class")
    cluster_std: NonNegativeNumber = Field(1.0, description="standard deviation of the clusters")
    center_box: tuple[float, float] = Field(
        (-10.0, 10.0), strict=False, description="lowest and highest coordinate of a cluster center"
    )

    def sizes(self) -> DataSizes:
        return DataSizes(inputs=self.n_features, classes=self.centers, target="classes")

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        if self.n_samples < self.centers:
            message = f"{self.centers} clusters need at least {self.centers} rows, got {self.n_samples}"
            yield FieldProblem((written(self, "centers", "n_samples"),), message)
        if self.center_box[0] > self.center_box[1]:
            yield FieldProblem(("center_box",), "the lowest coordinate must come first")


class MakeClassification(Generated):
    """Clusters at the corners of a cube, hidden among redundant and useless columns (Guyon 2003, "Madelon")."""

    type: Literal["make_classification"] = "make_classification"
    n_features: Columns = Field(20, description="columns")
    n_informative: PositiveInteger = Field(2, description="number of columns that determine the class")
    n_redundant: NonNegativeInteger = Field(
        2, description="number of columns that are linear combinations of informative ones"
    )
    n_repeated: NonNegativeInteger = Field(0, description="number of columns that repeat informative or redundant ones")
    n_classes: Classes = Field(2, description="classes")
    n_clusters_per_class: Annotated[Integer, Ge(1), Le(10_000)] = Field(2, description="number of clusters per class")
    weights: tuple[Share, ...] | None = Field(
        None, strict=False, description="fraction of rows per class, optional for the last one; default: equal"
    )
    flip_y: Share = Field(0.01, description="fraction of rows with a random class")
    class_sep: NonNegativeNumber = Field(1.0, description="half the edge length of the cube; larger is easier")
    hypercube: bool = Field(True, description="put the clusters at the corners of a cube; false: of a random box")
    shift: float = Field(0.0, description="offset added to every column")
    scale: float = Field(1.0, description="factor applied to every column after the shift")

    def sizes(self) -> DataSizes:
        return DataSizes(inputs=self.n_features, classes=self.n_classes, target="classes")

    def rows(self) -> tuple[NDArray[np.float64], NDArray[Any]]:
        listed: Any = self.weights and list(self.weights)  # scikit-learn requires a list
        return Generated.rows(self.model_copy(update={"weights": listed}))

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        informative = self.n_informative + self.n_redundant + self.n_repeated
        clouds = self.n_classes * self.n_clusters_per_class
        if informative > self.n_features:
            field = written(self, "n_features", "n_informative", "n_redundant", "n_repeated")
            message = f"n_informative + n_redundant + n_repeated = {informative} exceeds n_features = {self.n_features}"
            yield FieldProblem((field,), message)
        if clouds > 2 ** min(self.n_informative, 60):
            field = written(self, "n_classes", "n_clusters_per_class", "n_informative")
            corners = f"n_informative = {self.n_informative} gives a cube with {2**self.n_informative} corners"
            yield FieldProblem((field,), f"{corners}, but n_classes × n_clusters_per_class = {clouds} are needed")
        elif clouds > self.n_samples:
            field = written(self, "n_samples", "n_classes", "n_clusters_per_class")
            yield FieldProblem((field,), f"{clouds} clusters need at least {clouds} rows, got {self.n_samples}")
        if self.weights is not None and len(self.weights) not in (self.n_classes, self.n_classes - 1):
            yield FieldProblem(("weights",), f"got {len(self.weights)} weights for {self.n_classes} classes")
        elif self.weights is not None and sum(self.weights) > 1 + 1e-9:
            yield FieldProblem(("weights",), "the weights are fractions; their sum must be at most 1")


class MakeRegression(Generated):
    """A linear function of a few informative columns among many."""

    type: Literal["make_regression"] = "make_regression"
    n_features: Columns = Field(100, description="columns")
    n_informative: NonNegativeInteger = Field(
        10, description="number of columns that determine the target, at most n_features"
    )
    n_targets: Annotated[Integer, Ge(1), Le(10_000)] = Field(1, description="number of target columns")
    bias: float = Field(0.0, description="offset added to the target")
    effective_rank: PositiveInteger | None = Field(
        None, description="approximate rank of the columns; default: independent columns"
    )
    tail_strength: Share = Field(0.5, description="weight of the remaining singular values; used with effective_rank")
    noise: NonNegativeNumber = Field(0.0, description="standard deviation of the noise added to the target")

    def sizes(self) -> DataSizes:
        return DataSizes(inputs=self.n_features, outputs=self.n_targets, target="values")
