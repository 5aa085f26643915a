"""What a person reads: pages, charts, tables, progress, and the differences of specs in words.

The input is records, arrays and specs, the output HTML, SVG and lines of text. Nothing is read from folders or trained
here. Start with `pages.run_page.page` for a run's ``report.html``, and with `svg.charts.Chart` for what every chart is
drawn with. `class_charts` and `value_charts` draw what a model predicts; `network_diagram` draws a network as
`diagram_layout` lays it out, and `plane_story` draws how a network of two inputs decides. `terminal` is what a command
prints, and `notebook` what Jupyter shows.
"""
