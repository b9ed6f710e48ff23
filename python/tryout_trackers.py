"""Trackers for a run of a tryout engine: MLflow, Weights & Biases, Comet, Aim. One record a trial, each by the tracker's own client.

    python -m tryout_trackers mlflow --uri http://localhost:5000

started by the engine: `.observer(EventProgram::new("python3").args(["-m", "tryout_trackers", "mlflow"]))` in Rust. What isn't an
argument here is set by the environment variables of the tracker itself (`MLFLOW_TRACKING_URI`, `WANDB_MODE`, `COMET_API_KEY`).
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any, Callable, Dict, List, Optional

from tryout_observer import Event, Tracker, flat, watch

#: MLflow takes no more in one request.
_MLFLOW_METRICS, _MLFLOW_PARAMS = 1000, 100


class MLflow(Tracker):
    """An MLflow run for the experiment, and within it one for each trial: parameters, metrics by iteration, status."""

    name = "mlflow"

    def __init__(self, uri: Optional[str] = None, experiment: Optional[str] = None) -> None:
        super().__init__()
        from mlflow.tracking import MlflowClient

        self.client, self.experiment, self.waiting = MlflowClient(tracking_uri=uri), experiment, {}  # type: Any, Any, Dict[str, List[Any]]

    def start(self) -> None:
        name = self.experiment or self.run["name"]
        known = self.client.get_experiment_by_name(name)
        self.experiment_id = known.experiment_id if known else self.client.create_experiment(name)
        run = self.ids.get("run")
        if run is None:
            tags = {"mlflow.runName": "%s %s" % (self.run["name"], self.run["run"]), "tryout.run": self.run["run"]}
            run = self.client.create_run(self.experiment_id, tags=tags).info.run_id
            said = {name: self.run[name] for name in ("seed", "samples", "searcher", "scheduler", "stop", "dir")}
            self._params(run, said)
        else:
            self.client.update_run(run, status="RUNNING")
        self.ids["run"] = run

    def begin(self, trial: str, config: Dict[str, Any], known: Optional[str]) -> str:
        if known is not None:
            self.client.update_run(known, status="RUNNING")
            return known
        tags = {"mlflow.runName": trial, "mlflow.parentRunId": self.ids["run"], "tryout.trial": trial}
        run: str = self.client.create_run(self.experiment_id, tags=tags).info.run_id
        self._params(run, flat(config))
        return run

    def _params(self, run: str, params: Dict[str, Any]) -> None:
        from mlflow.entities import Param

        # MLflow takes 6,000 characters of a value.
        entities = [Param(name, str(value)[:6000]) for name, value in params.items()]
        for begin in range(0, len(entities), _MLFLOW_PARAMS):
            self.client.log_batch(run, params=entities[begin : begin + _MLFLOW_PARAMS])

    def log(self, trial: str, step: int, metrics: Dict[str, float], report: Dict[str, Any]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        waiting = self.waiting.setdefault(trial, [])
        waiting.extend(Metric(name, value, now, step) for name, value in metrics.items())
        if len(waiting) >= _MLFLOW_METRICS:
            self._send(trial)

    def _send(self, trial: str) -> None:
        metrics = self.waiting.pop(trial, [])
        for begin in range(0, len(metrics), _MLFLOW_METRICS):
            self.client.log_batch(self.ids[trial], metrics=metrics[begin : begin + _MLFLOW_METRICS])

    def on_quiet(self) -> None:
        super().on_quiet()
        for trial in list(self.waiting):
            self._send(trial)

    def saved(self, trial: str, path: Optional[str], checkpoint: Dict[str, Any]) -> None:
        if path is not None:
            self.client.set_tag(self.ids[trial], "tryout.checkpoint", path)

    def reconfigured(self, trial: str, config: Dict[str, Any]) -> None:
        # A parameter of MLflow can't change.
        self.client.set_tag(self.ids[trial], "tryout.config", str(config))

    def end(self, trial: str, status: str, event: Event) -> None:
        self._send(trial)
        if status == "PAUSED":
            self.client.set_terminated(self.ids[trial], status="KILLED")
            return
        self.client.set_tag(self.ids[trial], "tryout.ending", "%s: %s" % (event["ending"], event["reason"] or ""))
        self.client.set_terminated(self.ids[trial], status="FAILED" if status == "ERROR" else "FINISHED")

    def finish(self, outcome: str, event: Event) -> None:
        ends = {"completed": "FINISHED", "stopped": "FINISHED", "drained": "KILLED"}
        self.client.set_terminated(self.ids["run"], status=ends.get(outcome, "FAILED"))


class Wandb(Tracker):
    """A run of Weights & Biases for each trial, in a group for the experiment."""

    name = "wandb"

    def __init__(self, project: Optional[str] = None) -> None:
        super().__init__()
        self.project, self.runs = project, {}  # type: Optional[str], Dict[str, Any]

    def begin(self, trial: str, config: Dict[str, Any], known: Optional[str]) -> str:
        import wandb

        group = "%s %s" % (self.run["name"], self.run["run"])
        run = wandb.init(
            project=self.project or self.run["name"], group=group, name=trial, id=known, config=config,
            resume="allow" if known else None, reinit="create_new",
        )  # fmt: skip
        self.runs[trial] = run
        return str(run.id)

    def log(self, trial: str, step: int, metrics: Dict[str, float], report: Dict[str, Any]) -> None:
        self.runs[trial].log(metrics, step=step)

    def saved(self, trial: str, path: Optional[str], checkpoint: Dict[str, Any]) -> None:
        if path is not None:
            self.runs[trial].summary["tryout/checkpoint"] = path

    def reconfigured(self, trial: str, config: Dict[str, Any]) -> None:
        self.runs[trial].config.update(config, allow_val_change=True)

    def end(self, trial: str, status: str, event: Event) -> None:
        self.runs.pop(trial).finish(exit_code=1 if status == "ERROR" else 0)


class Comet(Tracker):
    """A Comet experiment for each trial; with `--offline DIRECTORY` an archive for each, to be uploaded later."""

    name = "comet"

    def __init__(self, project: Optional[str] = None, offline: Optional[str] = None) -> None:
        super().__init__()
        self.project, self.offline, self.runs = project, offline, {}  # type: Optional[str], Optional[str], Dict[str, Any]

    def begin(self, trial: str, config: Dict[str, Any], known: Optional[str]) -> str:
        import comet_ml

        project = self.project or self.run["name"]
        quiet = {"auto_metric_logging": False, "auto_param_logging": False, "log_git_patch": False, "log_code": False}
        if self.offline is not None:
            make: Callable[..., Any] = comet_ml.ExistingOfflineExperiment if known else comet_ml.OfflineExperiment
            place: Dict[str, Any] = {"offline_directory": self.offline}
        else:
            make, place = (comet_ml.ExistingExperiment if known else comet_ml.Experiment), {}
        which = {"previous_experiment": known} if known else {"project_name": project}
        run = make(display_summary_level=0, **place, **which, **quiet)
        if not known:
            run.set_name(trial)
            run.add_tag("%s %s" % (self.run["name"], self.run["run"]))
            run.log_parameters(flat(config))
        self.runs[trial] = run
        return str(run.get_key())

    def log(self, trial: str, step: int, metrics: Dict[str, float], report: Dict[str, Any]) -> None:
        self.runs[trial].log_metrics(metrics, step=step)

    def reconfigured(self, trial: str, config: Dict[str, Any]) -> None:
        self.runs[trial].log_parameters(flat(config))

    def end(self, trial: str, status: str, event: Event) -> None:
        run = self.runs.pop(trial)
        run.log_other("status", status)
        run.end()


class Aim(Tracker):
    """An Aim run for each trial, in the repository at `--repo`, or at the working directory's."""

    name = "aim"

    def __init__(self, repo: Optional[str] = None, experiment: Optional[str] = None) -> None:
        super().__init__()
        self.repo, self.experiment, self.runs = repo, experiment, {}  # type: Optional[str], Optional[str], Dict[str, Any]

    def begin(self, trial: str, config: Dict[str, Any], known: Optional[str]) -> str:
        from aim import Run

        name = self.experiment or self.run["name"]
        run = Run(run_hash=known, repo=self.repo, experiment=name, system_tracking_interval=None, capture_terminal_logs=False)
        run.name = trial
        run["config"], run["run"] = config, self.run["run"]
        self.runs[trial] = run
        return str(run.hash)

    def log(self, trial: str, step: int, metrics: Dict[str, float], report: Dict[str, Any]) -> None:
        for name, value in metrics.items():
            self.runs[trial].track(value, name=name, step=step)

    def reconfigured(self, trial: str, config: Dict[str, Any]) -> None:
        self.runs[trial]["config"] = config

    def end(self, trial: str, status: str, event: Event) -> None:
        run = self.runs.pop(trial)
        run["status"] = status
        run.close()


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="tryout_trackers", description="Hands a run's events to a tracker.")
    trackers = parser.add_subparsers(dest="tracker", required=True)
    mlflow = trackers.add_parser("mlflow")
    mlflow.add_argument("--uri", help="the tracking server, or a directory; MLFLOW_TRACKING_URI otherwise")
    mlflow.add_argument("--experiment", help="the experiment's name; that of the run otherwise")
    wandb = trackers.add_parser("wandb")
    wandb.add_argument("--project", help="the project; the run's name otherwise")
    comet = trackers.add_parser("comet")
    comet.add_argument("--project", help="the project; the run's name otherwise")
    comet.add_argument("--offline", metavar="DIRECTORY", help="write archives there, and ask no server")
    aim = trackers.add_parser("aim")
    aim.add_argument("--repo", help="the repository; the working directory's otherwise")
    aim.add_argument("--experiment", help="the experiment's name; that of the run otherwise")
    given = vars(parser.parse_args(arguments))
    makers: Dict[str, Callable[..., Tracker]] = {"mlflow": MLflow, "wandb": Wandb, "comet": Comet, "aim": Aim}
    make = makers[given.pop("tracker")]
    if given.get("offline"):
        os.makedirs(given["offline"], exist_ok=True)
    watch(make(**given))


if __name__ == "__main__":
    main()
