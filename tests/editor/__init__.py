"""The language server, asked by a client as an editor asks it."""
