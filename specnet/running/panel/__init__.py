"""The interactive panel of a page: the model as code, its columns as controls, and rows by their names in the file.

In: what a page shows of a model, and the rows of its run. Out: an `AskPanel`. Start with `contents`.
"""
