"""A search for λ: baselines, trials, a choice, and its confirmation on the test split."""
