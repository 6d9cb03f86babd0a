"""Survival statistics: the only home of lifelines.

Here: estimates from durations, event flags and covariates, in any unit of time. Not here: which patients and
variables a study compares (`models.study`). Called by the study's analyses.
"""
