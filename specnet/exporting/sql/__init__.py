"""A program as one SQL statement: dialects, the cells of a table, the query, and databases that run it.

Each feature of each step is an expression of a row's columns. Expressions that are read several times are columns of
common table expressions, so that a database computes them once.
"""
