"""Archives of other tools, with a text in them that their own tool does not read."""

from __future__ import annotations

import io
import zipfile

from specnet.exporting.model_facts import FACTS, LABELS, facts_of, written
from specnet.exporting.model_program import Program

MEMBER = "specnet.json"


def with_said(content: bytes, program: Program) -> bytes:
    """Return an archive with its text: class labels, the spec's hash, facts of the spec."""
    said = {
        LABELS: program.labels,
        "spec_sha256": program.model.spec.sha256,
        FACTS: facts_of(program.model.spec),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as archive:
        for member in before.infolist():
            archive.writestr(member, before.read(member))
        archive.writestr(zipfile.ZipInfo(MEMBER), written(said))  # of a fixed date, unlike one by its name alone
    return stream.getvalue()
