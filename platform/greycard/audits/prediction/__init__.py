"""Audits of predictors: probabilities against labels."""
