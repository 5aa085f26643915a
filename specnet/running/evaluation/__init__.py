"""How good a trained model is: on each split, beside baselines, and how much of that may be chance.

A `FitResult` comes in; an `Evaluation`, which is ``metrics.json``, and findings go out. Start in
`evaluation.evaluate_run`; `baselines` fits the `predictors` that a model is compared with, `intervals` resamples rows.
"""
