"""Reading: from a source to a document, and mistakes located at their values.

In: a source with its settings. Out: a `source_document.Document`, plain data with the location of each value. Start at
`reader.read`, which also refuses sources beyond the size limits. `diagnostics` turns errors of pydantic into messages
for users, with suggestions from `hints`.
"""
