"""Reading tables from files: cells, kinds of columns, and the numbers that a network sees.

In: the paths of the files, and the columns to read. Out: a `Table`, or errors with their locations.
Start with `table`. A source (`sources`; `csv_files`, `json_files`, `parquet_files`) reads the cells, and `columns`
yields them from memory or from DuckDB (`duck`). `kinds` judges the kind of each column by its distinct texts, and
`cells` converts cells to numbers. `faults` locates mistakes in a CSV file.
"""
