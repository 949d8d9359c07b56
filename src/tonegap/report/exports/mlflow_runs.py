"""Logs runs into an MLflow tracking store, each once: a run that is there under its key is left alone.

MLflow is imported when it is asked for and nowhere else: that takes seconds.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tonegap.errors import BadRequest
from tonegap.report.exports.tracked_runs import KEY_TAG, TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PER_REQUEST = 100  # parameters or tags that MLflow takes at once
_PER_PAGE = 1000
# MLflow reports on its use to its makers, and asks a server that is not there for four minutes.
_UNLESS_TOLD = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}


@dataclass(frozen=True, slots=True)
class Logged:
    """How many runs were logged now, and how many were there already."""

    n_new: int
    n_known: int


def log_runs(uri: str, experiment: str, runs: Sequence[TrackedRun]) -> Logged:
    """Logs the runs that the experiment does not have yet; one that was cut off is logged anew.

    Raises BadRequest where MLflow is not installed or refuses.
    """
    for name, value in _UNLESS_TOLD.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise BadRequest(
            "tonegap track: MLflow is not installed here; pip install 'mlflow-skinny>=3'"
        ) from None
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        place = found.experiment_id if found else client.create_experiment(experiment)
        finished = _finished_keys(client, place)
        missing = [run for run in runs if run.key not in finished]
        for run in missing:
            _log(client, place, run)
    except MlflowException as e:
        raise BadRequest(f"{uri}: MLflow refuses: {' '.join(str(e).split())}") from None
    return Logged(len(missing), len(runs) - len(missing))


def _finished_keys(client: "MlflowClient", experiment_id: str) -> set[str]:
    """Keys of the experiment's finished runs; runs of ours that were cut off are removed."""
    finished: set[str] = set()
    cut_off: list[str] = []
    page: str | None = None
    while True:
        found = client.search_runs([experiment_id], max_results=_PER_PAGE, page_token=page)
        for run in found:
            key = run.data.tags.get(KEY_TAG)
            if key and run.info.status == "FINISHED":
                finished.add(key)
            elif key:
                cut_off.append(run.info.run_id)
        page = found.token
        if not page:
            break
    for run_id in cut_off:
        client.delete_run(run_id)
    return finished


def _log(client: "MlflowClient", experiment_id: str, run: TrackedRun) -> None:
    """One run; its status says that it is finished only when everything is there."""
    from mlflow.entities import Metric, Param, RunTag

    end = run.finished_ms
    start = None if end is None else end - round(1000 * run.seconds)
    tags = {KEY_TAG: run.key}
    made = client.create_run(experiment_id, start_time=start, tags=tags, run_name=run.name)
    run_id = made.info.run_id
    params = [Param(name, value) for name, value in run.params.items()]
    rest = [RunTag(name, value) for name, value in run.tags.items() if name != KEY_TAG]
    for first in range(0, max(len(params), len(rest)), _PER_REQUEST):
        part = slice(first, first + _PER_REQUEST)
        # Together they would be more than a request may hold.
        client.log_batch(run_id, params=params[part])
        client.log_batch(run_id, tags=rest[part])
    metrics = [Metric(name, value, end or 0, 0) for name, value in run.metrics.items()]
    client.log_batch(run_id, metrics=metrics)
    client.set_terminated(run_id, "FINISHED", end_time=end)
