"""What the folders of runs hold, read again."""
