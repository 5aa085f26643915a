"""The panel of a page that one can ask: what its script is given, and the script.

`AskPanel` is plain data, made from a model and its rows by `specnet.running.reports.asking`; `panel.js` draws it, and
computes all answers by the code of the JavaScript export.
"""
