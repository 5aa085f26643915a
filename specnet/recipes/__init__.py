"""Specs to start from: the recipe for a table that was read, and templates without a table."""

from specnet.recipes.facts import TableFacts, table_facts
from specnet.recipes.recipe import recipe
from specnet.recipes.templates import TEMPLATES

__all__ = ["TEMPLATES", "TableFacts", "recipe", "table_facts"]
