"""Many runs of one spec: each is an ordinary run whose bytes do not depend on where it was computed."""
