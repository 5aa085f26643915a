"""Processes: signals that wait for a suitable moment, and a pool of processes that ends with the one that started it.

In: functions with their arguments, an object that all of them share, signals. Out: futures, and events while functions
run. Start at `pool.processes`, whose `Processes` is an executor like any other of `concurrent.futures`.
"""
