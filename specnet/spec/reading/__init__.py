"""From a source to a document, and mistakes at the locations of their values.

In: a source with its settings. Out: a `source_document.Document`, plain data with the location of each value. Start at
`reader.read`, which also refuses what is beyond the caps. `diagnostics` makes the errors of users of those of pydantic,
with the suggestions of `hints`.
"""
