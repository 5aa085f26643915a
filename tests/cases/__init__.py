"""Cases as data: tables, specs and command lines, each with what is expected of it."""
