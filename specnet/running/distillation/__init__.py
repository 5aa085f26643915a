"""Distillation: a small network is trained on the predictions of an ensemble (Hinton et al. 2015).

A spec with ``training.teacher`` comes in. `teacher` reads the ensemble and gives its predictions, for training rows by
members that were not trained on the row. `mixtures` draws further rows (Bucilă et al. 2006), and `student_rows` makes
training rows of both. Training, evaluation and files are those of any other run. `comparison` measures the network
beside its teacher, `student_spec` writes the spec of a small network for a teacher, and `distilling` runs it.
`imitation` trains such a network in memory for a page, on a model's own predictions instead of those out of fold.
"""
