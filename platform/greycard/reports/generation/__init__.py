"""The page of a generation audit and of the study that rebalances a generator."""
