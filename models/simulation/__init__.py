"""The simulator: patients drawn from a model with known coefficients, and what hospitals make of them.

The entry points are `cohort.simulate_patients`, `plates.draw_plates` and, for patients who die early,
`immortal_time.simulate_palliative`. Not here: files (`flows.simulate`).
"""
