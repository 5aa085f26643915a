"""Resolving: from a spec to its long form with every default and size, with checks that concern the whole spec.

In: a `Spec`. Out: a `resolve.Resolved`, the long form and the layers in order. Start at `resolve.resolve`, which turns
lists of sizes into layers. `graph` propagates the sizes through the layers, and `agreement` reports conflicts.
"""
