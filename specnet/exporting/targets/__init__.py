"""The targets: one module each, with the name that `export` takes; each has a `TARGET`."""
