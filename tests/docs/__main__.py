"""Build the whole site: ``python -m tests.docs`` after ``pip install '.[docs]'``.

Examples and pictures come first, from the commands on the pages that show them, whose output has to be the one that is
shown. Warnings are errors, every link within the site has to lead
somewhere, and search has to find every name of the reference. With
Chromium, pages must not write to the console, and search has to list the right page first for what readers type.
"""

from __future__ import annotations

import shutil
import sys
import time

from sphinx.cmd.build import main as sphinx

from tests.docs.reference.searching import unfound
from tests.docs.site import browser, examples, links

SOURCE = examples.ROOT / "docs"
SITE = SOURCE / "_build" / "html"


def main() -> int:
    """Build and check the site; return the exit status."""
    start = time.perf_counter()
    differences = examples.write(SOURCE)
    for each in differences:
        print(each, file=sys.stderr)
    shutil.rmtree(SITE.parent, ignore_errors=True)
    status = sphinx(["-W", "--keep-going", "-q", str(SOURCE), str(SITE)])
    if status:
        return status
    count, wrong = links.broken(SITE)
    print(f"{SITE / 'index.html'}   {count} links   {time.perf_counter() - start:.0f} s")
    for each in wrong:
        print(f"broken link in {each}", file=sys.stderr)
    missing = unfound(SITE)
    for each in missing:
        print(f"search does not find {each}", file=sys.stderr)
    in_browser = [*browser.wrong(SITE)] if browser.is_there() else []
    for each in in_browser:
        print(each, file=sys.stderr)
    if not browser.is_there():
        print("SKIPPED messages of pages, and what search finds first: needs Chromium and playwright")
    return bool(in_browser or differences or wrong or missing)


if __name__ == "__main__":
    sys.exit(main())
