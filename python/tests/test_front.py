"""`import tryout`: scripts that run real experiments by the real program."""

from __future__ import annotations

import ast
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tryout
from engine import PATIENCE, Gate
from tryout import _parts, _program

PYTHON = str(Path(tryout.__file__).parents[1])


def begin(home: Path, code: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Starts a script, whose file is `script.py`, or one that Python reads from `-`."""
    script = home / "script.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, *(arguments or ("script.py",))],
        cwd=home,
        env={**os.environ, "PYTHONPATH": PYTHON, "TRYOUT_BINARY": _program.find()},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(script: subprocess.Popen[str], code: int | None = 0, given: str | None = None) -> tuple[str, str]:
    try:
        stdout, stderr = script.communicate(given, timeout=2 * PATIENCE)
    finally:
        script.kill()
    assert code is None or script.returncode == code, stderr
    return stdout, stderr


def run(home: Path, code: str, *arguments: str) -> str:
    return end(begin(home, code, *arguments))[0]


SLOPE = """
    import sys, tryout
    print("begun", file=sys.stderr)

    def train(config):
        loss = 1.0
        for epoch in range(config["epochs"]):
            loss *= 1 - config["net"]["lr"]
            yield {"loss": loss, "epoch": epoch}
"""


def test_the_script_is_its_own_worker(tmp_path: Path) -> None:
    printed = run(tmp_path, SLOPE + """
    results = tryout.run(train, space={"net": {"lr": tryout.log_uniform(1e-3, 1e-1)}, "epochs": 9}, minimize="loss",
                         samples=12, seed=1, scheduler=tryout.asha(max_t=9, reduction_factor=3), dir="runs")
    best = results.best
    assert best.value == min(trial.value for trial in results.trials), results
    def again(config):
        return {"loss": best.value + config["more"]}
    second = tryout.run(again, space={"more": tryout.grid([1, 0, 2])}, minimize="loss", progress=False)
    third = tryout.run(again, space={"more": tryout.grid([3, 4])}, minimize="loss", progress=False)
    print(results.outcome, len(results.trials), best.iterations, best.config["epochs"], len(best.history))
    print(second.best.number, second.best.value == best.value, second.name, third.name, len(third.trials))
    with open("after", "a") as file:
        file.write("once")
    """)  # fmt: skip
    assert printed == "completed 12 9 9 9\n1 True again again-2 2\n"
    # What comes after the last call is for the script alone.
    assert (tmp_path / "after").read_text() == "once"
    # What it asked for is an experiment file, which the program runs as well.
    spec = json.loads((tmp_path / "runs/.tryout/train.json").read_text())
    assert spec["schedule"] == {"asha": {"max_t": 9, "reduction_factor": 3}} and spec["space"]["net"]["lr"] == {
        "log_uniform": [0.001, 0.1]
    }
    assert "12 trials" in _program.ask("check", str(tmp_path / "runs/.tryout/train.json"))


CLASS = """
    import json, os, tryout
    class Descent(tryout.Trainable):
        def setup(self, config):
            self.x, self.rate = 8.0, config["rate"]
        def step(self):
            self.x -= self.rate * self.x
            return {"loss": self.x}
        def save(self, directory):
            with open(os.path.join(directory, "x.json"), "w") as file:
                json.dump(self.x, file)
        def load(self, directory):
            with open(os.path.join(directory, "x.json")) as file:
                self.x = json.load(file)
"""
REFERENCE = CLASS.replace("tryout.Trainable", "")
REFERENCE = REFERENCE.replace("save(", "save_checkpoint(").replace("load(self", "load_checkpoint(self")
REPORTS = """
    import tryout
    def Descent(config):
        x = 8.0
        while True:
            x -= config["rate"] * x
            tryout.report(loss=x)
"""


@pytest.mark.parametrize("code", [CLASS, REFERENCE, REPORTS], ids=["class", "reference", "reports"])
def test_every_kind_of_trainable(tmp_path: Path, code: str) -> None:
    printed = run(tmp_path, code + """
    results = tryout.run(Descent, space={"rate": tryout.choice([0.5])}, minimize="loss", samples=1,
                         stop=tryout.iterations(3), checkpoints={"at_end": "checkpoint"}, limits={"time": "5m"})
    print(results.best.value, results.best.reason, results.best.checkpoint and sorted(os.listdir(results.best.checkpoint)))
    """)  # fmt: skip
    kept = "None" if code is REPORTS else "['x.json']"
    assert printed == f"1.0 iteration 3 is the last of 3 {kept}\n"


def test_a_finished_run_goes_further(tmp_path: Path) -> None:
    code = CLASS + """
    import sys
    results = tryout.run(Descent, space={"rate": 0.5}, minimize="loss", stop=tryout.iterations(int(sys.argv[1])), name="more",
                         resume=len(sys.argv) > 2, extend=len(sys.argv) > 2, checkpoints={"at_end": "checkpoint"})
    print(results.best.value, results.best.iterations)
    """
    assert run(tmp_path, code, "script.py", "2") == "2.0 2\n"
    assert run(tmp_path, code, "script.py", "4", "on") == "0.5 4\n"


def test_failures_have_their_tracebacks(tmp_path: Path) -> None:
    printed = run(tmp_path, """
    import tryout
    def train(config):
        if config["x"] > 1:
            raise ValueError(f"too much: {config['x']}")
        yield {"loss": config["x"]}
    results = tryout.run(train, space={"x": tryout.grid([1, 2])}, minimize="loss")
    print(results.best.number, results.errors[0].number, results.errors[0].error)
    try:
        print(tryout.run(train, space={"x": tryout.grid([3])}, minimize="loss").best)
    except tryout.NoBest as error:
        print(error)
    try:
        tryout.run(train, space={"x": tryout.grid([4])}, minimize="loss", fail_fast="raise")
    except tryout.RunError as error:
        print("run:", error, error.results.outcome)
    """)  # fmt: skip
    assert printed.startswith("0 1 Traceback") and "in train\n" in printed and "ValueError: too much: 2" in printed
    assert "no trial of 'train-2' has a value of the objective; trial 0 failed:\nTraceback" in printed
    assert "run: " in printed and "ValueError: too much: 4" in printed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("sampels=3", "there is no setting `sampels`; did you mean `samples`?"),
        ("scheduler=tryout.asha(max_time=3)", "max_time"),
        ("scheduler='ashy'", "did you mean `asha`"),
        ("space={'x': tryout.uniform(2, 1)}", "2"),
        ("space={'x': tryout.choice([print])}", "space.x.choice[0] is a builtins.builtin_function_or_method"),
        ("space={'x': float('nan')}", "space.x is nan, which JSON hasn't"),
        ("minimize='a', maximize='b'", "both given"),
        ("space={'x': 1}, name='a/b'", "a/b"),
        ("search='tpe', searcher='tpe'", "twice"),
        ("extend=True", "say `resume=True` as well"),
    ],
)
def test_what_cant_work_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tryout.SpecError) as refused:
        eval(f"tryout.run(_program.find, {settings})")
    assert words in str(refused.value)
    # The name is free as before.
    assert not (tmp_path / "runs/find").exists()


def test_a_function_of_a_module_is_imported(tmp_path: Path) -> None:
    text = "import sys\ndef train(config):\n  return {'value': 2.0 * config['x'], 'ran': ' '.join(sys.argv)}\n"
    (tmp_path / "mine.py").write_text(text)
    printed = run(tmp_path, """
    import numpy, tryout, mine
    results = tryout.run(mine.train, points=[{"x": numpy.float64(1.5)}], maximize="value")
    print(results.best.value, results.best.metrics["ran"])
    """)
    assert printed.startswith("3.0 ") and printed.endswith("tryout_worker.py mine:train\n")


def until(events: Iterator[dict[str, Any]], name: str) -> None:
    """Waits for an event of a run."""
    assert any(event.get("event") == name for event in events), f"the run ended without {name}"


def gated(gate: Gate) -> str:
    """A class whose steps wait until the test lets them pass; it says `at work` through another pipe."""
    return f"""
    import json, os, sys, tryout
    class Waits(tryout.Trainable):
        def setup(self, config):
            self.n = config["n"]
        def step(self):
            os.write(os.open("{gate.path}-said", os.O_WRONLY), b"x")
            os.read(os.open("{gate.path}", os.O_RDONLY), 1)
            self.n += 1
            return {{"n": self.n}}
        def save(self, directory):
            with open(directory + "/n", "w") as file:
                file.write(str(self.n))
        def load(self, directory):
            with open(directory + "/n") as file:
                self.n = int(file.read())
    settings = dict(space={{"n": 0}}, maximize="n", stop=tryout.iterations(4), name="waits", resume=True)
    """


@pytest.fixture
def at_work(gate: Gate) -> Iterator[Callable[[int], None]]:
    """Waits until steps of trials have said that they are at work, so many times."""
    os.mkfifo(gate.path + "-said")
    # Both ways, so that neither end waits for the other.
    pipe = os.open(gate.path + "-said", os.O_RDWR)

    def wait(times: int) -> None:
        for _ in range(times):
            assert select.select([pipe], [], [], PATIENCE)[0], "no step began"
            os.read(pipe, 1)

    yield wait
    os.close(pipe)


def test_ctrl_c_saves_and_resume_goes_on(tmp_path: Path, gate: Gate, at_work: Callable[[int], None]) -> None:
    code = gated(gate) + """
    try:
        print("best", tryout.run(Waits, **settings).best.metrics)
    except KeyboardInterrupt as end:
        print(type(end).__name__, end, end.results.outcome, end.results.trials[0].status, end.results.trials[0].iterations)
    """  # fmt: skip
    gate.open()
    script = begin(tmp_path, code)
    # In its second step.
    at_work(2)
    events = tryout.attach(tmp_path / "runs/waits").events()
    script.send_signal(signal.SIGINT)
    until(events, "closing")
    gate.open()
    stdout, _ = end(script)
    assert stdout.startswith("Interrupted the run in ") and "drained PAUSED" in stdout, stdout
    gate.open(4)
    assert run(tmp_path, code) == "best {'n': 4}\n"


def test_a_run_drains_when_its_script_is_killed(tmp_path: Path, gate: Gate, at_work: Callable[[int], None]) -> None:
    gate.open()
    script = begin(tmp_path, gated(gate) + "tryout.run(Waits, **settings)\n")
    at_work(2)
    events = tryout.attach(tmp_path / "runs/waits").events()
    script.kill()
    until(events, "closing")
    gate.open()
    # Whoever asks waits until the engine has come to its end.
    results = tryout.attach(tmp_path / "runs/waits").wait()
    assert results.outcome == "drained" and results.trials[0].status == "PAUSED"
    end(script, -signal.SIGKILL)


def test_a_live_run_is_asked_and_steered(tmp_path: Path, gate: Gate, at_work: Callable[[int], None]) -> None:
    script = begin(tmp_path, gated(gate) + """
    run = tryout.start(Waits, **settings, concurrency=1)
    events = run.events()
    print(run.status()["counts"]["PENDING"] + run.status()["counts"]["RUNNING"], run.results.outcome)
    # A trial that hasn't begun would be paused without a step.
    input()
    run.pause(0)
    print(tryout.attach(run.dir).trial(0)["config"], flush=True)
    run.pause(0, wait=True)
    added = run.add({"n": 10})
    print(run.trial(0)["status"], run.why(0), run.trial(added)["config"], len(run.trials()))
    for wrong in ({"order": {"save": "x"}}, {"order": {"resume": run.trials()[0]["id"][:-1] + "7"}}):
        try:
            run.ask(wrong)
        except tryout.Refused as error:
            print(error.code)
    run.prioritise(0, 3)
    run.concurrency(2)
    run.unpause(0)
    results = run.wait()
    print(results.best.metrics, [trial.iterations for trial in results.trials])
    print(sorted({event["event"] for event in events}))
    try:
        run.status()
    except tryout.NotRunning as error:
        print(error)
    """, stdin=subprocess.PIPE)  # fmt: skip
    at_work(1)
    assert script.stdin is not None and script.stdout is not None and script.stderr is not None
    script.stdin.write("\n")
    script.stdin.flush()
    lines = [script.stdout.readline() for _ in range(2)]
    # More than it needs: a step under way when it is paused is made again.
    gate.open(100)
    lines += script.stdout.readlines()
    assert lines[:2] == ["1 running\n", "{'n': 0}\n"], script.stderr.read()
    assert lines[2] == "PAUSED waits for a client to resume it {'n': 10} 2\n"
    assert lines[3:6] == ["malformed\n", "impossible\n", "{'n': 14} [4, 4]\n"]
    assert {"added", "paused", "resumed", "finished"} <= set(ast.literal_eval(lines[6]))
    assert lines[7].startswith("nobody runs ")


NOTEBOOK = """
    import linecache, math, sys
    def cell(text):
        linecache.cache["<cell>"] = (len(text), None, text.splitlines(True), "<cell>")
        exec(compile(text, "<cell>", "exec"), globals())
    cell('''
    import math as m
    from os.path import join
    import tryout
    SCALE = {"x": [2.0, None]}
    class Half:
        def of(self, x):
            return x / SCALE["x"][0]
    def deep(x):
        return Half().of(m.floor(x))
    def train(config):
        return {"loss": deep(config["x"]), "place": join("a", "b")}
    ''')
    try:
        tryout.run(train, space={"x": 4.5}, minimize="loss")
    except tryout.TryoutError as error:
        print(error)
    train = tryout.to_module(train, "cells.py")
    print(tryout.run(train, space={"x": 4.5}, minimize="loss").best.metrics)
"""


def test_a_notebook_writes_its_function_to_a_module(tmp_path: Path) -> None:
    code = textwrap.dedent(NOTEBOOK)
    script = begin(tmp_path, "", "-", stdin=subprocess.PIPE)
    stdout, _ = end(script, 0, code)
    assert stdout.startswith("train was written in a notebook or at a prompt")
    assert "`train = tryout.to_module(train, \"my_train.py\")`" in stdout
    assert stdout.endswith("{'loss': 2.0, 'place': 'a/b'}\n")
    text = (tmp_path / "cells.py").read_text()
    assert text.startswith("SCALE = {'x': [2.0, None]}\n\nclass Half:\n") and "\nimport math as m\n" in text
    assert "\nfrom posixpath import join\n" in text


def test_a_process_of_multiprocessing_begins_no_run(tmp_path: Path) -> None:
    code = """
    import multiprocessing, tryout
    def train(config):
        yield {"loss": 1.0}
    if __name__ == "__main__":
        child = multiprocessing.get_context("spawn").Process(target=print)
        child.start()
        child.join()
        print(child.exitcode)
    else:
        tryout.run(train, minimize="loss")
    """
    stdout, stderr = end(begin(tmp_path, code))
    assert stdout == "1\n" and 'below `if __name__ == "__main__":`' in stderr


def test_a_worker_that_never_comes_to_its_call_says_so(tmp_path: Path) -> None:
    printed = run(tmp_path, """
    import os, tryout
    def train(config):
        yield {"loss": 1.0}
    if not os.path.exists("runs"):
        print(tryout.run(train, space={"x": 1}, minimize="loss").errors[0].error)
    """)
    assert "the script ended in a worker before it came to the call of tryout.run that it is to serve" in printed


def test_without_the_program_there_is_a_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_program.VARIABLE, str(tmp_path))
    with pytest.raises(tryout.ProgramNotFound, match="no program that can be run"):
        _program.find()
    monkeypatch.delenv(_program.VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_program, "_places", lambda: iter([str(tmp_path)]))
    with pytest.raises(tryout.ProgramNotFound, match="pip install"):
        _program.find()
    program = tmp_path / "tryout"
    program.write_text("#!/bin/sh\necho \"error: unrecognized subcommand '$1'\" >&2\nexit 2\n")
    program.chmod(0o755)
    assert _program.find() == str(program)
    with pytest.raises(tryout.TryoutError, match="has no verb `plot`: it is older"):
        tryout.Results(tmp_path).plot("history")


def kinds(schema: dict[str, Any], sort: str) -> dict[str, set[str]]:
    """The parts of a sort, and the settings of each."""
    definitions = schema["$defs"]
    found = next(form["properties"] for form in definitions[sort]["anyOf"] if "properties" in form)
    return {
        name: set(definitions.get(part.get("$ref", "").rpartition("/")[2], part).get("properties", ()))
        for name, part in found.items()
    }


def test_parts_are_those_of_the_program() -> None:
    schema = json.loads(_program.ask("schema"))
    parts = {**kinds(schema, "Searcher"), **kinds(schema, "Scheduler"), **kinds(schema, "StopRule")}
    assert set(_parts.__all__) | _parts.OTHERS == set(parts)
    for name in _parts.__all__:
        said = inspect.signature(getattr(tryout, name)).parameters.values()
        assert {each.name for each in said if each.kind != each.VAR_KEYWORD} <= parts[name], name
    assert tryout.wilcoxon(p_threshold=0.05) == {"wilcoxon": {"p_threshold": 0.05}}
    with pytest.raises(AttributeError, match="no attribute 'wilcoxen'"):
        tryout.wilcoxen()
    words = set(schema["$defs"]["Domain"]["anyOf"][0]["properties"]) - {"quantum", "list"}
    assert words <= set(dir(tryout))
    assert set(inspect.signature(tryout.start).parameters) & set(schema["properties"]) == {
        "space", "samples", "stop", "resources", "name"
    }  # fmt: skip


def test_tables(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    printed = run(tmp_path, SLOPE + """
    tryout.run(train, points=[{"net": {"lr": 0.5}, "epochs": 2}, {"net": {"lr": 0.25}, "epochs": 2}], minimize="loss")
    """)
    assert printed == ""
    results = tryout.Results(tmp_path / "runs/train")
    table, reports = results.dataframe(), results.dataframe("reports")
    assert isinstance(table, pandas.DataFrame) and list(table["config/net/lr"]) == [0.5, 0.25]
    assert list(table["loss"]) == [0.25, 0.5625]
    assert list(table.columns)[:3] == ["trial", "id", "status"]
    assert list(reports["loss"]) == [0.5, 0.25, 0.75, 0.5625] and list(reports["iteration"]) == [1, 2, 1, 2]
    assert "<svg" in Path(results.plot("curves")).read_text()
    assert Path(results.plot("history", tmp_path / "history.png")).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="'trials' and 'reports'"):
        results.rows("events")
