"""CSV files: their signs, records, parts and cells."""
