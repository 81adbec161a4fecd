"""Paper 004: unbalanced generators, balanced synthetic sets, and the studies that retrain."""
