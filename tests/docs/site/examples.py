"""Pages of real runs, which the site has beside its own, and the pictures of its pages that come from them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.docs.documents import ROOT, STATED, Document, built_documents, shell, snippet, without_times
from tests.docs.site import pictures

MOONS = """\
specnet run specs/moons.toml -o moons --quiet
specnet export moons --to javascript -o moons.mjs --learn --quiet
"""
FIGURE = re.compile(
    r'<figure class="card[^"]*" id="([\w-]+)".*?<figcaption>(.*?)</figcaption>(.*?)</figure>', re.DOTALL
)
LINK = re.compile(r"<a\b[^>]*>\?</a>|</?a\b[^>]*>")
"""A link within a caption, whose text stays unless it leads to an explanation on the report's page."""


def write(folder: Path) -> list[str]:
    """Write pages and pictures into the folder of the documentation's source, and return what differs from a document.

    The pages stand in `_examples/examples`, which the site has as `examples`: those of a document in a folder of its
    name. Each of their charts is a file in `_pictures`, in the folder of its page.
    """
    shutil.rmtree(folder / "_examples", ignore_errors=True)
    shutil.rmtree(folder / "_pictures", ignore_errors=True)
    wrong = list[str]()
    with _with_specs() as name:
        shell(MOONS, Path(name))
        pictures.write(Path(name) / "moons", folder / "_pictures")
        _copy_pages(Path(name), folder / "_examples" / "examples")
        shutil.copy(Path(name) / "moons.mjs", folder / "_examples" / "examples")
    for document in built_documents():
        with _with_specs() as name:
            runs = Path(name)
            wrong += differences(document, runs)
            pages = folder / "_examples" / "examples" / document.path.stem
            _copy_pages(runs, pages)
        for page in pages.rglob("*.html"):
            write_charts(page, folder / "_pictures" / page.relative_to(pages.parent).with_suffix(""))
    return wrong


def write_missing(folder: Path) -> None:
    """Write pages and pictures unless they are there."""
    if not (folder / "_examples").is_dir():
        write(folder)


def _with_specs() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    shutil.copytree(ROOT / "specs", Path(folder.name) / "specs")
    return folder


def differences(document: Document, folder: Path) -> Iterator[str]:
    """Run a document's commands and snippets in their order, and name those that do something else than is shown."""
    outputs = dict(document.commands_and_output())
    for language, code in document.runnable():
        if language == "sh":
            seen, shown = shell(code, folder), outputs.get(code)
            if shown is None and seen.status:
                yield f"{document.name}: {code.strip()} failed:\n{seen.text}"
            if shown is not None and without_times(seen.text) != without_times(shown):
                yield f"{document.name}: {code.strip()} prints\n{seen.text}"
        elif language != "js" or shutil.which("node"):
            printed = snippet(language, code, folder, document.name)
            if printed != STATED[language].findall(code):
                yield f"{document.name}: {code.strip()} prints\n{printed}"


def write_charts(page: Path, folder: Path) -> None:
    """Write each chart of a report as HTML that a page of the site can include."""
    for name, caption, chart in FIGURE.findall(page.read_text("utf-8")):
        folder.mkdir(parents=True, exist_ok=True)
        figure = f"<figure>{chart}<figcaption>{LINK.sub('', caption)}</figcaption></figure>"
        (folder / f"{name}.html").write_text(f'<div class="pictures">{figure}</div>\n', encoding="utf-8")


def _copy_pages(runs: Path, folder: Path) -> None:
    for page in runs.rglob("*.html"):
        copied = folder / page.relative_to(runs)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, copied)
