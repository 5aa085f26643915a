"""What editors and code hosts show beside a spec: mistakes with their edits.

In: the diagnostics of a spec and its document. Out: positions in UTF-16 code units, as these programs count them.
`code_hosts` has the formats of code hosts.
"""
