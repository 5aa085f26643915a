"""Ways that a user with a table goes, from its file to what becomes of the model, by the spec that `new` writes."""
