"""The night's figures: small frames in, SVG bytes out, always the same bytes for the same frame.

Here: all drawing; the only home of matplotlib. Not here: what is drawn (`transforms.figure_frames`,
`flows.report.figures`). Called by the report, whose figures the records in MLflow show as well.
"""
