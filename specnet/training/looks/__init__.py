"""Looks at the layers during training, which findings and pages are made of."""
