"""Archives of other tools, with a text in them that their own tool does not read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from specnet.exporting.facts import FACTS, facts_of, written
from specnet.exporting.program import Program
from specnet.exporting.target import Target

MEMBER = "specnet.json"


class ArchiveTarget(Target):
    """A target whose only file is an archive."""

    def with_remark(self, files: Mapping[Path, bytes], program: Program, remark: str) -> dict[Path, bytes]:
        return {path: with_said(content, program, remark) for path, content in files.items()}


def with_said(content: bytes, program: Program, remark: str = "") -> bytes:
    """Return an archive with its text: class labels, the spec's hash, how far the export agrees, facts of the spec."""
    said = {
        "labels": program.labels,
        "spec_sha256": program.model.spec.sha256,
        "agreement": remark,
        FACTS: facts_of(program.model.spec),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as archive:
        for member in before.infolist():
            if member.filename != MEMBER:
                archive.writestr(member, before.read(member))
        archive.writestr(zipfile.ZipInfo(MEMBER), written(said))  # of a fixed date, unlike one by its name alone
    return stream.getvalue()
