"""The page of a search: its trials, its front, and the choice put to the test."""
