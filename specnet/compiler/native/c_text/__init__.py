"""The text in C of a program: forms of operations, loops, products, functions."""
