"""How tables are read from files and data frames: cells, kinds of columns, and the numbers that a network sees."""
