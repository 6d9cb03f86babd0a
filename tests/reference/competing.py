"""What R computed of competing risks, correlations and the like: `competing.csv` by case.

Here: reading. Not here: the computing (`competing.R`, run by hand), the comparing (`expected`).
"""

from collections import defaultdict

import polars as pl

from tests.reference.expected import FOLDER, Numbers


def competing(case: str) -> dict[str, Numbers]:
    """Return R's numbers of a case by name and statistic; None where R has NA."""
    frame = pl.read_csv(FOLDER / "competing.csv", infer_schema=False).filter(pl.col("case") == case)
    numbers: dict[str, Numbers] = defaultdict(dict)
    for name, statistic, value in frame.select("name", "statistic", "value").iter_rows():
        numbers[name][statistic] = None if value == "NA" else float(value)
    assert numbers, f"competing.csv has no case {case}"
    return numbers
