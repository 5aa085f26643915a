"""Charts as SVG that takes its colours from the page around it.

The input is values and words, the output markup. Start with `charts.Chart`: `axes` has its ranges, ticks and frame,
`colours` the style sheet and pictures of pixels, and `markup` pieces of SVG as text.
"""
