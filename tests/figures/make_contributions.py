"""Shapley values of columns by the package shap, exact and by permutations, with an interventional background.

`python tests/figures/make_contributions.py`, in an environment with the `peers` extra, writes `contributions.json`
beside this file. The models are those of `tests/model/contributed.py`.
"""

import json
from pathlib import Path

import numpy as np
import shap

from tests.model.contributed import explained_cases

figures = {"version": shap.__version__}
for name, model, rows, background in explained_cases():
    given = model.predict if model.labels is None else model.predict_proba
    masker = shap.maskers.Independent(background, max_samples=len(background))
    exact = shap.explainers.Exact(given, masker)(rows)
    drawn = shap.explainers.Permutation(given, masker, seed=0)(rows, max_evals=20 * (2 * rows.shape[1] + 1))
    figures[name] = {
        "base": np.ravel(exact.base_values[0]).tolist(),
        "exact": exact.values.reshape(*rows.shape, -1).tolist(),
        "drawn": drawn.values.reshape(*rows.shape, -1).tolist(),
    }
Path(__file__).with_name("contributions.json").write_text(json.dumps(figures) + "\n")
