"""The page of a prediction audit: how predictors differ between groups, and what a fairness loss changed."""
