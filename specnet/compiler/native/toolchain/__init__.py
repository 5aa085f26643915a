"""From C text to a loaded library: compilers, processors, and the cache of what was compiled."""
