"""Networks from Keras's files."""
