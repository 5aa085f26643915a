"""The pages of the reference that are written from the code itself: one module for each kind of page.

In: the registry of parts, the command line, the corpus of wrong specs, docstrings. Out: the names and the Markdown of
pages, which `tests.docs.pages` writes before Sphinx reads them.
"""
