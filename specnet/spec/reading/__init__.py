"""What was written: text, its places, the data in it, and mistakes at their places."""
