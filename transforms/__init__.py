"""Pure functions: bytes or frames in, frames out. Imports polars and the standard library, nothing else."""
