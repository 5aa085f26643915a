"""How good a trained model is: on each part of the split, beside baselines, and how far chance goes.

A `FitResult` comes in; an `Evaluation`, which is ``metrics.json``, goes out, and `Scores` for findings.
Start in `evaluation.evaluate_run`; `baselines` fits those of `predictors`, `trees` and `constant`, `intervals`
says by `resampling` what chance leaves open, where `coverage` is too; `answer_tables` has confusion and the like.
"""
