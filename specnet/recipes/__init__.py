"""Specs to start from: the recipe for a table or for arrays, and example specs without a table.

In: a table or arrays. Out: the text of a commented spec. Start with `recipe`, which takes the facts that `table_facts`
returns and fills in a template from the folder `templates`.
"""

from specnet.recipes.recipe import recipe
from specnet.recipes.spec_templates import TEMPLATES, starting_spec
from specnet.recipes.table_facts import TableFacts, array_facts, table_facts
from specnet.recipes.text_columns import frame_with_texts, read_with_texts

__all__ = [
    "TEMPLATES",
    "TableFacts",
    "array_facts",
    "frame_with_texts",
    "read_with_texts",
    "recipe",
    "starting_spec",
    "table_facts",
]
