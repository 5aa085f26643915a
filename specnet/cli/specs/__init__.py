"""Verbs about specs: written, checked, shown, compared.

In comes the name of a spec, of a run's folder or of a model; out comes what it says, or what is wrong with it; nothing
is trained. Start at the verb's own module; `parts` goes on in `catalogue`.
"""
