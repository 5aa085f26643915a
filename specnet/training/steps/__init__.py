"""Steps: how the parameters change, batch by batch, by NumPy or by a compiled function, or by L-BFGS.

In: a network, its parameters, and a feed of rows. Out: the same arrays, changed. Start at `trainer.Trainer`, which the
others are; `engine_choice.choose` decides between them, `stepper.Stepper` is the plainest.
"""
