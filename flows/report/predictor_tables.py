"""The report's tables of the predictor: how well it predicts, its gates, its inputs.

Here: layout for a reader. Not here: the numbers (`models.prediction`). Called by `flows.report.tables`.
"""

import math

import polars as pl

from flows.report.context import PredictorReport
from flows.report.layout import Column, Table, lay_out
from transforms.wording import label_of, write_interval, write_number, write_ratio


def lay_out_predictor_tables(predictor: PredictorReport) -> tuple[Table, ...]:
    """Return the tables of the report's section on the predictor."""
    return (_performance(predictor), _gates(predictor), _inputs(predictor))


def _performance(predictor: PredictorReport) -> Table:
    found = predictor.cross_validated
    auc = write_interval(found.auc, found.auc_low, found.auc_high, decimals=2)
    slope, intercept = (
        write_interval(
            getattr(found, name), getattr(found, f"{name}_low"), getattr(found, f"{name}_high"), decimals=2
        )
        for name in ("calibration_slope", "calibration_intercept")
    )
    measures = (
        ("AUC (95% CI)", auc, write_number(predictor.apparent_auc, 2), "0.5 is chance, 1 is perfect"),
        ("Calibration slope (95% CI)", slope, "", "1 is right, below is overconfident"),
        ("Calibration in the large (95% CI)", intercept, "", "0 is right, above: too low"),
        ("Integrated calibration index", write_number(found.ici, 3), "", "mean gap of risks; 0 is right"),
        ("Scaled Brier score", write_number(found.scaled_brier, 3), "", "0 is no better than the mean risk"),
        ("Brier score", write_number(found.brier, 3), "", "0 is perfect"),
        ("Log loss", write_number(found.log_loss, 3), "", "0 is perfect"),
    )
    rows = pl.DataFrame(measures, schema=("measure", "cross_validated", "apparent", "meaning"), orient="row")
    columns = (
        Column("measure", "Measure", is_text=True),
        Column("cross_validated", "Cross-validated"),
        Column("apparent", "On its own training data"),
        Column("meaning", "How to read it", is_text=True),
    )
    below = (
        f"{found.n:,} patients, {found.n_events:,} with ASL; {predictor.n_left_out:,} left out, still under "
        "treatment or without a count. The AUC's interval is about a fifth too narrow, since it takes the "
        f"held-out predictions as given. {predictor.sample_size}"
    )
    return lay_out("performance", rows, caption="How well it predicts", columns=columns, below=below)


def _gates(predictor: PredictorReport) -> Table:
    gates = predictor.verdict.gates if predictor.verdict else ()
    rows = pl.DataFrame(
        [
            {
                "gate": gate.name.capitalize(),
                "found": gate.found,
                "required": gate.required,
                "state": "open" if gate.is_open else "closed",
            }
            for gate in gates
        ]
    )
    columns = (
        Column("gate", "Gate", is_text=True),
        Column("found", "Found", is_text=True),
        Column("required", "Required", is_text=True),
        Column("state", "Gate is", is_text=True),
    )
    return lay_out("gates", rows, caption="What decides whether it serves", columns=columns)


def _inputs(predictor: PredictorReport) -> Table:
    rows = pl.DataFrame(
        [
            {
                "feature": label_of(row["feature"]),
                "odds_ratio": write_ratio(math.exp(row["log_odds_ratio_per_sd"]), None, None),
                "n_unknown": write_number(row["n_unknown"], 0),
            }
            for row in predictor.coefficients.iter_rows(named=True)
        ]
    )
    columns = (
        Column("feature", "Known before RT", is_text=True),
        Column("odds_ratio", "Odds ratio for one SD more"),
        Column("n_unknown", "Patients without it"),
    )
    below = "Shrunken by the model's penalty and given together: no effects, and no intervals."
    return lay_out("inputs", rows, caption="What it looks at", columns=columns, below=below)
