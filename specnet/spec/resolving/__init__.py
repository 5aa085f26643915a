"""What a spec means: the long form with every default and size, and the mistakes that only the whole shows.

In comes a `Spec`, out a `resolved.Resolved`: its long form, and the layers in order. Start at `resolve.resolve`:
`long_form` makes layers of sizes, `graph` walks through them, `sizes` and `agreement` say what does not go together,
and `problems` keeps that at the places where it was written. `origins` tells where each value comes from.
"""
