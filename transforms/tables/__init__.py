"""The report's tables: the night's tidy estimates turned into rows that can be read, every cell a text.

Here: pivots from `schemas.ESTIMATES`, a module a topic. Not here: words and formats (`transforms.wording`),
layout and pages (`flows.report`). A null estimate reads "n.e." and the row's `note` says why.
"""
