"""The kinds of training: one module per kind."""
