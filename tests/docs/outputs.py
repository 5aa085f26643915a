"""Write what commands print into the documents that show it: ``python -m tests.docs.outputs [FILE …]``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.docs.documents import (
    PEERS,
    PROGRESS,
    ROOT,
    Document,
    built_documents,
    documents,
    shell,
    without_times,
)


def main(paths: list[Path]) -> None:
    """Run the commands of documents in their order, each document in a folder with the specs, and keep what differs."""
    for document in map(Document, paths) if paths else documents() + built_documents():
        text = document.text
        with tempfile.TemporaryDirectory() as name:
            shutil.copytree(ROOT / "specs", Path(name) / "specs")
            for code, shown in document.commands_and_output():
                if PEERS.search(code):
                    continue
                printed = PROGRESS.sub("", shell(code, Path(name)).text)
                if shown is not None and without_times(printed) != without_times(shown):
                    before = f"```sh\n{code}```\n\n```text\n"
                    text = text.replace(f"{before}{shown}", f"{before}{printed}")
        document.path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main([Path(each).resolve() for each in sys.argv[1:]])
