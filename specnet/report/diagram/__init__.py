"""A network as a picture of circles and lines.

In comes a resolved spec, with weights or without; out comes SVG. `network_diagram.NetworkDiagram` draws: start there.
What it draws are the columns that `diagram_columns` makes of layers, at the places that `placing` gives them.
"""
