"""Settings of the documentation, which ``python -m tests.docs`` builds."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from specnet.version import __version__
from tests.docs import pages
from tests.docs.site import examples

project, author, release = "specnet", "specnet", __version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_examples", "_pictures"]
html_theme = "pydata_sphinx_theme"
html_title = "specnet"
templates_path = ["_templates"]
smartquotes = False  # quotes are those of specs
html_static_path = ["_static"]
html_css_files = ["charts.css", "site.css"]
html_extra_path = ["_examples"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search_field"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}
html_sidebars = {"index": [], "changes": []}
copybutton_selector = ":not(.highlight-text) > div.highlight > pre"  # commands and code, not what they print
html_show_search_summary = False  # which could not be loaded where the site is opened from files
html_show_sourcelink = False
html_copy_source = False
autodoc_typehints = "none"  # docstrings have them
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries = False  # headings have the same names

COMMANDS = re.compile(
    r'<div class="highlight-(?:sh|bash|powershell) .*?</pre>|<span class="pre">(?:-|\'\.\[).*?</span>', re.DOTALL
)
EQUALS = '<span class="o">=</span>'
OPTION = re.compile(r"(?<=[\s>])(?:--?[a-zA-Z][\w-]*|'\.\[[\w,-]+\]')")
CELL = re.compile(r"<td.*?</td>", re.DOTALL)
OUTPUT = re.compile(
    r'(?<=<div class="highlight-text)( notranslate"><div class="highlight"><pre><span></span>)(.*?)(?=</pre>)',
    re.DOTALL,
)
ALIGNED = re.compile(r"\S {3,}\S.*\n.*\S {3,}\S|\^\^")
"""Lines with columns, one below the other, or with marks below a word."""
NAME = re.compile(r'(?<=<span class="pre">)[^<]+')
SEPARATOR = re.compile(r"(?<=[A-Za-z])[._/](?=[A-Za-z])")
TOGETHER = re.compile(
    r"<(pre|code|svg|script|style)\b.*?</\1>|<[^>]*>|"  # left as they are
    r"(?<=\d) (?=[%±×÷]|\d{3}\b|(?:B|kB|MB|GB|ns|µs|ms|s|points)\b)|(?<=±) (?=\d)|scikit-learn|UTF-8|\b\d+(?:-\d+)+\b",
    re.DOTALL,
)
FOLDED = re.compile(r"(<a [^>]*>(.*?)</a><details[^>]*><summary)>")
TAG = re.compile("<.*?>")


def setup(app):
    """Write what comes from runs, if it is missing, and the pages that come from the code itself."""
    examples.write_missing(Path(app.srcdir))
    app.connect("builder-inited", lambda app: pages.write(Path(app.srcdir)))
    app.connect("html-page-context", unbroken)
    app.connect("build-finished", lambda app, error: error or mended(Path(app.outdir)))


def unbroken(app, pagename, templatename, context, doctree):
    """Let lines break where readers expect it.

    Commands break between options and behind an equals sign, not within an option or an extra; names in tables behind
    a separator; texts neither between a number and its unit, nor within a number or sizes such as 2-5-1. On phones,
    outputs without columns break between words.
    """

    def marked(found):
        text = OPTION.sub(r'<span class="option">\g<0></span>', found[0])
        return text.replace(EQUALS, f"{EQUALS}<wbr>")

    def parted(found):
        return NAME.sub(lambda name: SEPARATOR.sub(r"\g<0><wbr>", name[0]), found[0])

    def together(found):
        text = found[0]
        if text == " ":
            return "\N{NO-BREAK SPACE}"
        return text if text[0] == "<" else f'<span class="option">{text}</span>'

    def wrapped(found):
        return found[0] if ALIGNED.search(TAG.sub("", found[2])) else f" wraps{found[0]}"

    body = OUTPUT.sub(wrapped, TOGETHER.sub(together, context.get("body", "")))
    context["body"] = COMMANDS.sub(marked, CELL.sub(parted, body))


def mended(site):
    """Take out what the theme's scripts write to the console, and name the buttons that fold its lists of pages."""

    def named(found):
        return f'{found[1]} aria-label="Pages of {TAG.sub("", found[2])}">'

    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        if FOLDED.search(text):
            path.write_text(FOLDED.sub(named, text), encoding="utf-8")
    for path in (site / "_static" / "scripts" / "pydata-sphinx-theme.js", site / "search.html"):
        path.write_text(path.read_text("utf-8").replace("console.log(", "void("), encoding="utf-8")
