"""From a spec to its long form with every default and size, and the mistakes that only the whole shows.

In: a `Spec`. Out: a `resolve.Resolved`: its long form, and the layers in order. Start at `resolve.resolve`: it makes
layers of sizes, `graph` follows the sizes through them, and `agreement` reports what does not go together.
"""
