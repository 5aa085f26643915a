"""What was written: text, its places, the data in it, and mistakes at their places.

In comes a source with its settings, out a `source_document.Document`: plain data that still know where each value
stands. Start at `reader.read`; `check_caps` and `plain_values` refuse what no spec may hold, `text_places` finds places
once a mistake asks for one. `diagnostics` and `hints` say what pydantic found, as a user reads it; `editing` changes
texts.
"""
