"""The picture of a report in README, by the commands above it: ``python -m tests.docs.picture``.

It needs Chromium. The words with which the report begins are in the picture's file, and in README as its text.
"""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
import zlib
from html import unescape
from pathlib import Path

from tests.docs.documents import ROOT, Document, shell
from tests.report.browser.checks import NAMES

README = Document(ROOT / "README.md")
PICTURE = ROOT / "docs" / "report.png"
REPORT = Path("penguins", "report.html")
WIDTH, HEIGHT = 1180, 1030
TEXT = re.compile(r'!\[A report that begins: "(.*?)"\]\(docs/report\.png\)')
SIGNATURE, KEYWORD = b"\x89PNG\r\n\x1a\n", b"Title"


def main() -> None:
    """Run the commands above the picture, and write the upper part of their report and its first words."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "specs", folder / "specs")
        above, *_ = [code for code in README.commands() if str(REPORT.parent) in code]
        shell(above, folder)
        words = first_words(folder / REPORT)
        PICTURE.write_bytes(with_words(shot(folder / REPORT), words))
    text = TEXT.sub(lambda _: f'![A report that begins: "{words}"](docs/report.png)', README.text)
    README.path.write_text(text, encoding="utf-8")


def first_words(page: Path) -> str:
    """Return the heading of a report, its verdict."""
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", page.read_text("utf-8"), re.DOTALL)
    assert heading, page
    return " ".join(unescape(re.sub(r"<[^>]*>", "", heading[1])).split())


def words_of(picture: bytes) -> str:
    """Return the words that a picture's file has: its international text (`iTXt`)."""
    start = len(SIGNATURE)
    while start < len(picture):
        size, kind = struct.unpack(">I4s", picture[start : start + 8])
        if kind == b"iTXt":
            return picture[start + 8 : start + 8 + size].removeprefix(KEYWORD + bytes(5)).decode()
        start += size + 12
    return ""


def with_words(picture: bytes, words: str) -> bytes:
    """Return a picture with words behind its header, uncompressed and without a language."""
    chunk = b"iTXt" + KEYWORD + bytes(5) + words.encode()
    added = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    header = len(SIGNATURE) + 25
    return picture[:header] + added + picture[header:]


def shot(page: Path) -> bytes:
    """Return the picture of the upper part of a page."""
    from playwright.sync_api import sync_playwright  # which comparing words does not need

    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])  # none for root
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        picture = tab.screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    main()
