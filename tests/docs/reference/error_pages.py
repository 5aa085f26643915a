"""Pages of errors, warnings and findings: each code with what causes it and its message."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from specnet.editor.catalogue import escaped
from specnet.findings import RULES
from tests.docs.reference.causes import MEANINGS
from tests.docs.reference.diagnostic_codes import caused_examples, other_examples, spec_examples
from tests.findings.made import BOUNDARIES, found_by

INDEX = """\
# Errors, warnings and findings

An error names its location, its code, what is wrong, and mostly what to write instead. Nothing is computed before all
errors of a spec are reported. A warning does not stop a command. A finding is about a run: what was seen, and what to
change. Codes stay the same from version to version; `--format json` prints them as `code`.

[Errors in specs](specs.md)
: Each code with a spec that causes it.

[Errors and warnings of data, files and commands](others.md)
: Each code with a message.

[Findings of runs](findings.md)
: Each code with what it means and an example.

```{toctree}
:hidden:
specs
others
findings
```
"""


def error_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    yield "errors/index", INDEX
    yield "errors/specs", "\n".join(_specs())
    yield "errors/others", "\n".join(_others())
    yield "errors/findings", "\n".join(_findings())


def _specs() -> Iterator[str]:
    yield from ["# Errors in specs", "", "For each code a spec that causes it, and its message.", ""]
    for code, example in sorted(spec_examples().items()):
        language = "json" if example.given.startswith("{") else "toml"
        yield from [f"## `{code}`", "", *_block(example.given, language if _is_plain(code) else "text")]
        yield from _block(example.message, "text")


def _is_plain(code: str) -> bool:
    """Return whether a spec with this mistake is TOML or JSON, so that it can be coloured."""
    return code not in ("syntax", "encoding", "duplicate-key", "null", "not-finite", "number-range", "key")


def _others() -> Iterator[str]:
    yield from ["# Errors and warnings of data, files and commands", ""]
    yield from ["For each code one of its messages, with the command or the call where it needs one."]
    yield from ["Where these do not show the cause, such as the state of a machine, a sentence tells it.", ""]
    examples = caused_examples() | other_examples()
    for code in sorted(examples.keys() - spec_examples().keys()):
        given, message = examples[code]
        yield from [f"## `{code}`", ""]
        yield from [_sentence(MEANINGS[code]), ""] if code in MEANINGS else []
        yield from _block(f"{given}{message}", "text")


def _sentence(text: str) -> str:
    """Return a meaning as a sentence of its own."""
    return escaped(text[0].upper() + text[1:])


def _findings() -> Iterator[str]:
    yield from ["# Findings of runs", "", "A run writes its findings to `findings.json` and shows them in its report."]
    yield from ["A rule is skipped after an earlier finding that explains its result.", ""]
    for code, (find, unless) in RULES.items():
        evidence = next(there for boundary, there, _ in BOUNDARIES if boundary == code)
        (found,) = found_by(code, evidence)
        explained = ", ".join(f"[`{other}`](#{other})" for other in sorted(unless))
        yield from [f"## `{code}`", "", escaped((inspect.getdoc(find) or "").partition("\n\n")[0]), ""]
        yield from _block(f"{found.severity}: {found.sentence}\n    {found.remedy}".rstrip(), "text")
        yield from [f"Skipped after {explained}.", ""] if explained else []


def _block(text: str, language: str) -> list[str]:
    return [f"```{language}", text.rstrip("\n"), "```", ""]
