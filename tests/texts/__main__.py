"""Make the snapshot anew: ``python -m tests.texts``."""

import re
import sys

import pytest

from tests.texts.made import FOLDER, document
from tests.texts.snapshot import SNAPSHOT, TITLE, Recorder

recorder = Recorder()
files = [str(file) for file in FOLDER.parent.rglob("test_*.py") if re.search("pinned|refuse", file.read_text("utf-8"))]
status = pytest.main(["-n", "0", "-p", "no:cacheprovider", *sorted(files)], plugins=[recorder])
if status:
    sys.exit(f"a test failed before all texts were met: {status!r}")
cases = "".join(f"\n== {name}\n{text}\n" for name, text in recorder.cases)
SNAPSHOT.write_text(f"{document()}\n{TITLE}{cases}", encoding="utf-8")
