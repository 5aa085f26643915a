"""What editors and code hosts show beside a spec: mistakes with their edits, completion, meanings and sizes.

In: a text, which may be neither saved nor finished, and a position in it. Out: diagnostics, candidates and Markdown, at
positions in UTF-16 code units, as these programs count them. `server` speaks the protocol of editors, for which it
needs the extra ``editor``. It uses `analysis` (the mistakes, the spec and its rows), `cursor` and `candidates`
(completion), `meanings` and `sizes`. `code_hosts` has the formats of code hosts. `schema_keys` reads the keys of specs
from the JSON Schema, and `catalogue` describes parts, sections and keys, also for ``specnet parts``.
"""
