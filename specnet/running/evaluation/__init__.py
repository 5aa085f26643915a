"""The evaluation of a trained model: metrics on each split, comparison with baselines, and intervals.

A `FitResult` comes in; an `Evaluation`, the contents of ``metrics.json``, and findings go out. Start in
`evaluation.evaluate_run`. `baselines` fits the `predictors` that a model is compared with; `intervals` resamples rows.
"""
