"""What it means: the long form with every default and size, and the mistakes that only the whole shows."""
