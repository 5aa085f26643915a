"""A network as a picture: columns of units, and the lines between them."""
