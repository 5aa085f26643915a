"""What an archive of another tool is given beside its network, for `specnet.importing` to read again."""

from __future__ import annotations

import io
import zipfile

from specnet.exporting.program import Program
from specnet.importing.archives import MEMBER
from specnet.importing.facts import FACTS, facts_of, written


def with_said(content: bytes, program: Program, remark: str) -> bytes:
    """Return an archive with a member that its own tool does not read.

    Class labels, the hash of the spec, how the export agrees with the model, and facts of the spec.
    """
    said = {
        "labels": program.labels,
        "spec_sha256": program.spec_hash,
        "agreement": remark,
        FACTS: facts_of(program.model.spec),
    }
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(MEMBER, written(said))
    return stream.getvalue()
