"""What a person looks at: pages, charts, tables, progress, and what differs between specs in words.

In come records, arrays and specs, wherever they are from; out go HTML, SVG and lines of text. Nothing is read from
folders or trained here. Start with `pages.run_page.page` for a run's ``report.html``, `pages.training_charts` for its
losses, `answers` for its answers, `svg.charts.Chart` for what every chart is drawn with, `diagram` and `plane` for
pictures of a network, `terminal` for what a command prints, and `notebook` for Jupyter.
"""
