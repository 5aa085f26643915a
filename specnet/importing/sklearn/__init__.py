"""Networks from scikit-learn's objects and skops's files.

In comes an estimator, alone or at the end of a pipeline; out goes `Imported`. Start at `import_estimator` in
`sklearn_estimators`, to which `import_skops` leads as well; `sklearn_columns` makes preprocessing of transformers.
"""
