"""Standard curves of immunoassays: the fit, its inverse, and what their quality allows.

The entry points are in `standard_curve`. Not here: files and wells (`transforms.plates`).
"""
