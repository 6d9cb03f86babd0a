"""xPONENT exports, read and written: what the software of Luminex instruments says of a plate.

Here: `reader` makes a plate of the bytes that `text`, `header`, `sections` and `frames` take apart; `export`
writes one. Not here: what is made of a plate (`transforms.plates`, which may import this, never the reverse).
"""
