"""From C text to a loaded library.

In comes a text and the functions that it must have; out goes a library whose functions can be called, or a `BuildError`
that says why not. Start at `library` in `libraries`: it asks `compilers` which compiler there is, `processors` for its
flags, `library_cache` for what was compiled before, and `compiler_process` to compile.
"""
