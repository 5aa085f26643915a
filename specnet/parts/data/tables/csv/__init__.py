"""CSV files: DuckDB splits their records, and Python's ``csv`` tells where something is wrong.

In: the bytes of files and their dialect. Out: columns of numbers at once, or DuckDB's table of cells.
Start with `csv_files`; `csv_records` has the places of mistakes, `csv_signs` what DuckDB would pass over, and
`csv_parts` cuts large files.
"""
