"""Runs made again and compared with what their folders keep."""
