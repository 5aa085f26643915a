"""Make the snapshot anew: ``python -m tests.texts``."""

from tests.texts.made import SNAPSHOT, document

SNAPSHOT.write_text(document(), encoding="utf-8")
