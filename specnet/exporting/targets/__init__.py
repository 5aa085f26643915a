"""The targets: one module each, by whose name an export asks for it; each has a `TARGET`."""
