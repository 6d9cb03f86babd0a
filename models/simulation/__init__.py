"""The simulator: patients drawn from a model with known coefficients, and what hospitals make of them.

The entry points are `cohort.simulate_patients` and `plates.draw_plates`. Not here: files (`flows.simulate`).
"""
