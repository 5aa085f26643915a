"""How tables are read from files: cells, kinds of columns, and the numbers that a network sees.

In: the paths of a part's files, and the columns to read. Out: a `Table`, or mistakes at their locations.
Start with `table`: a source (`sources`; `csv_files`, `json_files`, `parquet_files`) has the cells, which `columns`
yields from memory or from DuckDB (`duck`); `kinds` finds the kind of each column by its distinct texts, and `cells`
has the rules that make numbers of them. `faults` finds where a CSV file is wrong.
"""
