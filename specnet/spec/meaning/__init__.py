"""What a resolved spec says, in words: its values with where they come from, and the equations in force.

In comes a resolved spec with its origins; out come rows of text, or the same as plain data. Start at `explanation`.
"""
