"""From unbalanced images to a retrained generator (paper 004)."""
