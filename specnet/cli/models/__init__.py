"""Verbs about trained models: predictions, figures, exports, imports."""
