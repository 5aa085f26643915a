"""The documentation: what of it is written from the code, how it is built, and whether all of it holds."""
