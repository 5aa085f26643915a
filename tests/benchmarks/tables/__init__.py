"""Runs on whole tables: large ones, many runs of one, and how well they predict."""
