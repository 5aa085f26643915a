"""Charts as SVG that takes its colours from the page around it.

In come values and words, out goes markup. Start with `charts.Chart`: `axes` has its ranges, ticks and frame,
`drawings` its lines and marks, `pixels` its surfaces; `style` has the colours, and `markup` what is text.
"""
