"""Studies: each chains several jobs to answer one question."""
