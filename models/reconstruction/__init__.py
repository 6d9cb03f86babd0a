"""The search for the reconstructed cohort: pseudo-patients whose analyses give the study's printed numbers.

Here: what needs the printed numbers and a seed alone. Not here: landing files (`flows.reconstruction`). The
entry point is `search.reconstruct`.
"""
