"""Reports: HTML pages, charts, tables, progress in the terminal, and the differences of specs in words.

The input is records, arrays and specs; the output is HTML, SVG and lines of text. Nothing is read from folders or
trained here. Start with `pages.run_page.page`, which returns a run's ``report.html``, and with `svg.charts.Chart`, with
which all charts are drawn. `class_charts` and `value_charts` draw the predictions of a model. `network_diagram` draws a
network with the layout from `diagram_layout`, and `plane_story` draws how a network of two inputs decides. `terminal`
formats the output of commands, and `notebook` the output in Jupyter.
"""
