"""How tables are read from files: cells, kinds of columns, and the numbers that a network sees.

In: the paths of a part's files, and what is wanted of them (`table_reading.Wanted`). Out: a `Table`, or mistakes at
their places. Start with `table_reading`: a source (`source`; CSV in `csv/`, `json_files`, `parquet_files`) stores its
cells in DuckDB (`duck`), `store` asks about them by the rules of `cells`, and `judging` says of what kind a column is.
"""
