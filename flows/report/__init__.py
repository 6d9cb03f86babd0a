"""The night's report: what it shows (`key_figures`, `figures`, `tables`) and the page (`page`)."""
