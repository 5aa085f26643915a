"""Exports in fixed point: networks as integers, with a proved bound on the difference from the model.

`fixed_network` rounds a network and bounds the difference by interval arithmetic, `fixed_c` writes it in C and compares
the compiled file with the emulation in Python, integer by integer.
"""
