"""Reads what a tracker has of a run of the example `files`, and compares it with what the run said of itself."""

import json
import math
import sys
import zipfile
from pathlib import Path

tracker, summary, scratch, uri = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]), sys.argv[4]
trials = {trial["id"]: trial for trial in summary["trials"]}
assert len(trials) == 12, f"the run has {len(trials)} trials"


def same(found, expected, what):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def close(found, expected, what):
    assert math.isclose(float(found), float(expected), rel_tol=1e-6), f"{what}: found {found!r}, expected {expected!r}"


def mlflow():
    """Every loss of every trial, its parameters, and how it ended, asked of the server."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("files").experiment_id
    runs = client.search_runs([experiment], max_results=1000)
    same(len(runs), 13, "runs, that of the experiment included")
    (parent,) = [run for run in runs if "tryout.run" in run.data.tags]
    same(parent.info.status, "FINISHED", "the experiment's status")
    same(parent.data.params["scheduler"], "Asha", "the experiment's scheduler")
    for run in runs:
        if run is parent:
            continue
        name = run.data.tags["tryout.trial"]
        trial = trials.pop(name)
        same(run.data.tags["mlflow.parentRunId"], parent.info.run_id, f"{name}: the run that it is in")
        same(run.info.status, "FAILED" if trial["status"] == "ERROR" else "FINISHED", f"{name}: status")
        same(run.data.params["kind"], trial["config"]["kind"], f"{name}: kind")
        close(run.data.params["x"], trial["config"]["x"], f"{name}: x")
        same(run.data.params["net/hidden"], "32", f"{name}: a nested parameter")
        losses = sorted((metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "loss"))
        same([value for _, value in losses], trial["losses"], f"{name}: losses")
        same([step for step, _ in losses], list(range(1, len(losses) + 1)), f"{name}: iterations")
    same(trials, {}, "trials that MLflow doesn't have")


def wandb_messages(data, block=32768):
    """The records of a log as LevelDB writes it: seven bytes of a head, then pieces, none of them across the end of a block."""
    same(data[:4], b":W&B", "the file's first bytes")
    at, whole = 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield whole
            whole = b""


def wandb():
    """The messages that wandb would send, read from its files."""
    from wandb.proto import wandb_internal_pb2

    for path in (scratch / "wandb").rglob("run-*.wandb"):
        losses, config, name, code = [], {}, None, None
        for data in wandb_messages(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                name = record.run.display_name or name
                config.update({item.key: json.loads(item.value_json) for item in record.run.config.update if item.key})
            if record.HasField("history"):
                row = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                losses += [float(row["loss"])] if "loss" in row else []
            if record.HasField("exit"):
                code = record.exit.exit_code
        trial = trials.pop(name)
        same(losses, trial["losses"], f"{name}: losses")
        same(config["kind"], trial["config"]["kind"], f"{name}: kind")
        same(code, 1 if trial["status"] == "ERROR" else 0, f"{name}: exit code")
    same(trials, {}, "trials that wandb doesn't have")


def comet():
    """The archives that Comet would upload."""
    found = []
    for path in (scratch / "comet").glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            text = archive.read("messages.json").decode()
        payloads = [json.loads(line)["payload"] for line in text.splitlines() if line.strip()]
        metrics = [payload["metric"] for payload in payloads if payload.get("metric")]
        losses = [(m["step"], m["metricValue"]) for m in metrics if m["metricName"] == "loss"]
        found.append([float(value) for _, value in sorted(losses)])
    same(sorted(found), sorted(trial["losses"] for trial in trials.values()), "losses")


def aim():
    """An Aim repository, opened by Aim."""
    from aim import Repo, Run

    path = str(scratch / "repo")
    for name in list(Repo(path).list_all_runs()):
        run = Run(name, repo=path, system_tracking_interval=None, capture_terminal_logs=False)
        trial = trials.pop(run.name)
        same(run["config"]["kind"], trial["config"]["kind"], f"{run.name}: kind")
        same(run["status"], trial["status"], f"{run.name}: status")
        (losses,) = [metric.values.sparse_numpy()[1] for metric in run.metrics() if metric.name == "loss"]
        # Aim keeps them by a hash of their step.
        same(len(losses), len(trial["losses"]), f"{run.name}: reports")
        for value, expected in zip(sorted(losses), sorted(trial["losses"])):
            close(value, expected, f"{run.name}: loss")
        run.close()
    same(trials, {}, "trials that Aim doesn't have")


{"mlflow": mlflow, "wandb": wandb, "comet": comet, "aim": aim}[tracker]()
print(f"{tracker} has what the run said")
