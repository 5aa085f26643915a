"""A declarative engine for small and middle-sized neural networks."""
