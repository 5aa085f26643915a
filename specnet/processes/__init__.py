"""Processes: a pool of them that ends with the process that started it.

In: functions with their arguments, and an object that all of them share. Out: futures, and events while functions
run. Start at `pool.processes`, whose `Processes` is an executor like any other of `concurrent.futures`.
"""
