"""Charts of what a model predicts for test rows, and of what it uses.

In come answers and records, out go figures: start with `class_charts` and `value_charts`. `roc_curves` counts what
these draw of probabilities, and `uses_charts` draws how much columns matter and how predictions respond to them.
"""
