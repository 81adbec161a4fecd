"""The tests, as a package: torch-fidelity installs a top-level `tests` too, which Ray workers would find first."""
