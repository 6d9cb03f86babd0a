"""REDCap projects: a raw export, its data dictionary and a mapping file, made into rows of our tables.

Here: `rows` puts them together; `dictionary`, `export` and `mapping` read one file each, `checks` holds them
against each other, `cells` turns fields into columns. `example.mapping.toml` is for people to copy.
"""
