"""Members of an ensemble, trained one after the other or side by side, in threads or processes, with the same result.

In: a network, where each member starts, and its rows. Out: what each has reached, and the checkpoint of all. Start at
`member_training.train_members`.
"""
