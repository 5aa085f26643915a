"""Small public data sets that scikit-learn includes."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from pydantic import Field

from specnet.parts.data.base import Data, DataSizes, Table, TargetKind
from specnet.parts.fields import Integer


class Bundled(Data):
    """Rows that a loader of scikit-learn returns."""

    def load(self, folder: Path, target: TargetKind) -> Table:
        from sklearn import datasets

        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in ("type", "split")}
        bunch = getattr(datasets, f"load_{self.type}")(**fields)
        y = bunch.target.astype(np.int64 if target == "classes" else np.float64)
        return Table(bunch.data, y, target, names=tuple(map(str, bunch.feature_names)))


class Iris(Bundled):
    """150 irises of three species (0, 1, 2), four measurements in cm (Fisher 1936)."""

    fixed_sizes = DataSizes(inputs=4, classes=3, target="classes")
    type: Literal["iris"] = "iris"


class Wine(Bundled):
    """178 wines of three cultivars (0, 1, 2), thirteen chemical measurements (Aeberhard and Forina 1992)."""

    fixed_sizes = DataSizes(inputs=13, classes=3, target="classes")
    type: Literal["wine"] = "wine"


class Digits(Bundled):
    """1797 handwritten digits as 8 × 8 grey values from 0 to 16 (Alpaydin and Kaynak 1998)."""

    type: Literal["digits"] = "digits"
    n_class: Annotated[Integer, Ge(2), Le(10)] = Field(10, description="number of digits, from 0 to n_class − 1")

    def sizes(self) -> DataSizes:
        return DataSizes(inputs=64, classes=self.n_class, target="classes")


class BreastCancer(Bundled):
    """569 tumours, malignant (0) or benign (1), thirty measurements of cell nuclei (Wolberg et al. 1993)."""

    fixed_sizes = DataSizes(inputs=30, classes=2, target="classes")
    type: Literal["breast_cancer"] = "breast_cancer"


class Diabetes(Bundled):
    """442 patients, ten measurements; predict the disease progression after a year, 25 to 346 (Efron et al. 2004)."""

    fixed_sizes = DataSizes(inputs=10, outputs=1, target="values")
    type: Literal["diabetes"] = "diabetes"
    scaled: bool = Field(True, description="center the columns and scale them to a sum of squares of 1")
