"""Loads all files of a run of the example `files`, and compares them with what the run said of itself."""

import json
import math
import sys
from pathlib import Path

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

summary = json.loads(Path(sys.argv[1]).read_text())
root, trials = Path(summary["dir"]), summary["trials"]
NOTE = 'from, "here"\non'


def same(found, expected, what):
    alike = found == expected or (
        isinstance(found, float) and isinstance(expected, float) and math.isnan(found) and math.isnan(expected)
    )
    assert alike, f"{what}: found {found!r}, expected {expected!r}"


def table(frame, losses, what):
    """A trial's rows in any table."""
    same(list(frame["training_iteration"]), list(range(1, len(losses) + 1)), f"{what}: iterations")
    same([float(loss) for loss in frame["loss"]], losses, f"{what}: losses")
    done = [False] * len(losses)
    if what.ended and losses:
        done[-1] = True
    same([bool(value) for value in frame["done"]], done, f"{what}: done")
    for step, (note, gap) in enumerate(zip(frame.get("note", []), frame.get("gap", [])), 1):
        if step < 3:
            assert pd.isna(note) and pd.isna(gap), f"{what}: a value where there was none, in row {step}"
        else:
            same(note, NOTE, f"{what}: note")
            same(float(gap), math.inf if step % 2 else math.nan, f"{what}: gap in row {step}")


class What(str):
    """What is looked at, for messages; and whether its last row says `done`."""

    ended = True


def config_columns(frame, config, what):
    expected = {
        "config/x": config["x"],
        "config/kind": config["kind"],
        "config/size": config["size"],
        "config/net/hidden": 32,
        "config/net/bias": True,
        "config/net/layers": "[64,32]",
    }
    for name, value in expected.items():
        for found in frame[name]:
            same(found, value, f"{what}: {name}")


def trial_files(trial):
    directory, losses = root / trial["id"], trial["losses"]
    what = What(f"{trial['id']}/result.json")
    # A trial that fails doesn't know before that a report is its last.
    What.ended = trial["status"] == "TERMINATED"
    same(json.loads((directory / "params.json").read_text()), trial["config"], "params.json")
    lines = pd.read_json(directory / "result.json", lines=True, precise_float=True)
    table(lines, losses, what)
    same(list(lines["config"]), [trial["config"]] * len(losses), f"{what}: config")
    same(set(lines["trial_id"]), {trial["id"]}, f"{what}: trial_id")
    # Python's own reader must read them as well.
    [json.loads(line) for line in (directory / "result.json").read_text().splitlines()]
    what = What(f"{trial['id']}/progress.csv")
    progress = pd.read_csv(directory / "progress.csv", float_precision="round_trip")
    table(progress, losses, what)
    config_columns(progress, trial["config"], what)
    error = directory / "error.txt"
    same(error.exists(), trial["failures"] > 0, f"{error} is there")
    if error.exists():
        same("    this kind can't\n    go on\n\n" in error.read_text(), True, f"{error}: the message")


def tensorboard(trial):
    events = EventAccumulator(str(root / trial["id"]))
    events.Reload()
    what = f"TensorBoard: {trial['id']}"
    scalars = events.Scalars("loss")
    same([scalar.step for scalar in scalars], list(range(1, len(trial["losses"]) + 1)), f"{what}: steps")
    for scalar, loss in zip(scalars, trial["losses"]):
        assert math.isclose(scalar.value, loss, rel_tol=1e-6), f"{what}: {scalar.value} for {loss}"
        assert scalar.wall_time > 1.7e9, f"{what}: wall time {scalar.wall_time}"
    same("gap" in events.Tags()["scalars"], len(trial["losses"]) > 2, f"{what}: gap")
    content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    same(start.hparams["x"].number_value, trial["config"]["x"], f"{what}: x")
    same(start.hparams["kind"].string_value, trial["config"]["kind"], f"{what}: kind")
    same(start.hparams["net/bias"].bool_value, True, f"{what}: net/bias")
    same(start.hparams["net/layers"].string_value, "[64,32]", f"{what}: net/layers")
    content = events.summary_metadata[metadata.SESSION_END_INFO_TAG].plugin_data.content
    end = metadata.parse_session_end_info_plugin_data(content)
    same(end.status, 1 if trial["status"] == "TERMINATED" else 2, f"{what}: status")


def hparams_page():
    """What the page HPARAMS itself would show: a session for each trial, with the metrics it found."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(root))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(root))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = RequestContext()
    found = context.hparams_metadata(request, "")
    experiment = context.experiment_from_metadata(request, "", True, found, [])
    same({info.name for info in experiment.hparam_infos} >= {"x", "kind", "size", "net/hidden"}, True, "HPARAMS: names")
    tags = {info.name.tag for info in experiment.metric_infos}
    assert "loss" in tags, f"HPARAMS: metrics {tags}"


def whole_run():
    csv, parquet = pd.read_csv(root / "results.csv", float_precision="round_trip"), pd.read_parquet(root / "results.parquet")
    same(list(csv.columns), list(parquet.columns), "the columns of results.csv and results.parquet")
    kinds = {"loss": "float64", "training_iteration": "int64", "done": "bool", "step": "int64", "config/size": "int64"}
    for name, kind in kinds.items():
        same(str(parquet[name].dtype).lower(), kind, f"results.parquet: the type of {name}")
    for trial in trials:
        for name, frame in (("results.csv", csv), ("results.parquet", parquet)):
            what = What(f"{name}: {trial['id']}")
            What.ended = trial["status"] == "TERMINATED"
            rows = frame[frame["trial_id"] == trial["id"]]
            table(rows, trial["losses"], what)
            config_columns(rows, trial["config"], what)
    rows = sum(len(trial["losses"]) for trial in trials)
    same(len(csv), rows, "results.csv: rows")
    same(len(parquet), rows, "results.parquet: rows")


def study():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(root / "optuna.log")))
    study = optuna.load_study(study_name="files", storage=storage)
    same(study.direction.name, "MINIMIZE", "Optuna: direction")
    same(study.user_attrs["outcome"], "completed", "Optuna: outcome")
    same(len(study.trials), len(trials), "Optuna: trials")
    best = math.inf
    for found, trial in zip(study.trials, trials):
        what, losses = f"Optuna: {trial['id']}", trial["losses"]
        state = {"scheduler": TrialState.PRUNED, "error": TrialState.FAIL}.get(trial["ending"], TrialState.COMPLETE)
        same(found.state, state, f"{what}: state")
        same(found.user_attrs["trial_id"], trial["id"], f"{what}: id")
        same(found.value, None if state == TrialState.FAIL else losses[-1], f"{what}: value")
        same(found.intermediate_values, dict(enumerate(losses, 1)), f"{what}: intermediate values")
        config = trial["config"]
        expected = {"x": config["x"], "kind": config["kind"], "size": config["size"]}
        expected |= {"net/hidden": 32, "net/layers": "[64,32]", "net/bias": True}
        same(found.params, expected, f"{what}: parameters")
        assert found.datetime_complete >= found.datetime_start, f"{what}: times"
        if state == TrialState.COMPLETE:
            best = min(best, losses[-1])
    same(study.best_value, best, "Optuna: the best value")
    same(len(study.trials_dataframe()), len(trials), "Optuna: the table")
    # The study can be gone on with: a new trial sees the old ones as its own.
    sampled = study.ask({"x": optuna.distributions.FloatDistribution(-3.0, 3.0)})
    assert -3.0 <= sampled.params["x"] <= 3.0


endings = {trial["ending"] for trial in trials}
same(endings >= {"done", "scheduler", "error"}, True, f"the run has all endings, {endings}")
for trial in trials:
    trial_files(trial)
    tensorboard(trial)
whole_run()
hparams_page()
study()
print(f"readers: {len(trials)} trials, {sum(len(trial['losses']) for trial in trials)} results are as they were told")
