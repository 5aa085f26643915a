"""What a terminal shows: tables, bars, progress."""
