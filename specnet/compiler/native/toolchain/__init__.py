"""From C text to a loaded library.

In comes a text and the functions that it must have; out goes a library whose functions can be called, or a `BuildError`
that says why not. Start at `library` in `libraries`, which has the cache: it calls `compilers` to find and run a
compiler, and `processors` for its flags.
"""
