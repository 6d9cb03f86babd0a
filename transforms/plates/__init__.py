"""Cytokine plates: layouts, exclusions, wells and replicates, and what a plate's own file says of it.

Here: what is made of a plate that is read, with the rules on it. Not here: exports (`transforms.xponent`),
curves (`models.curves`).
"""
