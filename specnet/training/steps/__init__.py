"""Training steps: updates of the parameters batch by batch, by NumPy, by a compiled function or by L-BFGS.

In: a network, its parameters, and a feed of rows. Out: the same arrays, updated in place. Start at `trainer.Trainer`,
the base class of all trainers. `stepper.Stepper` makes steps with NumPy, `compiled_steps.CompiledStepper` with C, and
`engine_choice.choose` decides which engine trains.
"""
