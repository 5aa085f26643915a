"""Models as loops over single rows, for languages that write them as C does."""
