"""The predictor of acute severe lymphopenia (ASL): its questions, inputs, choice, judgement and replacement.

`predictor` is what the night trains today. `procedure` and `validation` (a choice among candidates, before
and during RT), `promotion` and `monitoring` are to take its place and that of `models.promotion`. Not here:
files, MLflow.
"""
