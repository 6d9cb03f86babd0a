"""Everything that talks to MLflow: the only home of mlflow.

`store` opens it; `analyses`, `predictor` and `champion` are what a night does with it. Not here: words
(`flows.model_card`), names of what is logged (`flows.tracked`), statistics and verdict (`models`).
"""

import os

# MLflow reads these as it is imported. Its own retries would hide a dead server for four minutes.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
