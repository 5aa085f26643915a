"""Training steps, predictions and functions: ours beside other tools'."""
