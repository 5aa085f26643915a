"""Networks from scikit-learn's objects and skops's files."""
