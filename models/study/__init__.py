"""The study's analyses: its tables, courses, survival, regressions and IL-7, as rows of estimates.

The entry point is `analyses.estimate_study`. Not here: the estimators, which any other study could use.
"""
