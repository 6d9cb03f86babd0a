"""Cytokine plates from an instrument's export to wells, samples and what their own file says of them.

`xponent_text`, `xponent` and `wells` lie in the order of the data's way. Not here: curves (`models.curves`).
"""
