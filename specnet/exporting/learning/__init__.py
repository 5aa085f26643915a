"""The training step in exports: forward pass, loss, reverse pass and optimizer, one row at a time.

`learning_plan` makes stages of the programs that also train a network in specnet, `learning_loops` the statements of
C and JavaScript from these, and `learning_proof` compares steps of an export with those of the engine.
"""
