"""Specs to start from: the recipe for a table or for arrays, and templates without a table."""

from specnet.recipes.facts import TableFacts, array_facts, table_facts
from specnet.recipes.recipe import recipe
from specnet.recipes.templates import TEMPLATES

__all__ = ["TEMPLATES", "TableFacts", "array_facts", "recipe", "table_facts"]
