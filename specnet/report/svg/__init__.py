"""Charts as SVG with CSS classes whose colours the page defines.

The input is values and words; the output is markup. Start with `charts.Chart`. `axes` computes ranges, ticks and the
frame; `colours` has the style sheet and pictures of pixels; `markup` writes pieces of SVG as text.
"""
