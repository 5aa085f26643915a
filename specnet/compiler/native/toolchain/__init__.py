"""From C code to a loaded library.

In: C code and the names of its functions. Out: a library whose functions can be called, or a `BuildError` with the
reason. Start at `library` in `libraries`, which has the cache. `compilers` finds and runs a compiler, `processors` has
its flags.
"""
