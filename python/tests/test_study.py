"""Many processes, one study: real processes that ask and tell, and one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import tryout
from engine import PATIENCE
from tryout import _program

PYTHON = str(Path(tryout.__file__).parents[1])

ASKER = """
    import json, sys, tryout
    study = tryout.join(sys.argv[1])
    for trial in study:
        reports = 0
        for epoch in range(9):
            reports += 1
            if not trial.report({"loss": trial.config["x"] + epoch / 100}):
                break
        else:
            trial.done()
        print(json.dumps([trial.number, trial.attempt, reports]), flush=True)
"""


def asker(home: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=home,
        env={**os.environ, "PYTHONPATH": PYTHON, "TRYOUT_BINARY": _program.find()},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_share_a_searcher_and_a_scheduler(tmp_path: Path) -> None:
    study = tryout.study(
        space={"x": tryout.uniform(0, 1)}, minimize="loss", samples=30, seed=1,
        scheduler=tryout.asha(max_t=9, reduction_factor=3), dir=tmp_path, name="shared", askers=3,
    )  # fmt: skip
    askers = [asker(tmp_path, ASKER, study.dir) for _ in range(3)]
    told = [json.loads(line) for process in askers for line in process.communicate(timeout=2 * PATIENCE)[0].splitlines()]
    assert [process.returncode for process in askers] == [0, 0, 0]
    results = study.wait()
    assert results.outcome == "completed" and len(results.trials) == 30 and not results.errors
    assert sorted(number for number, _, _ in told) == list(range(30)), "each was worked on by one process"
    assert {number: reports for number, _, reports in told} == {trial.number: trial.iterations for trial in results.trials}
    assert sum(reports for _, _, reports in told) < 150, "the scheduler stopped what was bad"
    assert results.best.value == min(trial.value for trial in results.trials)
    assert study.ask() is None, "the run is over"


def test_what_a_killed_process_had_is_given_to_another(tmp_path: Path) -> None:
    study = tryout.study(
        space={"x": tryout.grid([7])}, minimize="loss", dir=tmp_path, name="killed", askers=1
    )
    killed = asker(tmp_path, """
        import signal, sys, tryout
        trial = tryout.join(sys.argv[1]).ask(lease=0.5)
        trial.report(loss=0.1)
        print(trial.attempt, flush=True)
        signal.pause()
    """, study.dir)  # fmt: skip
    with killed:
        assert killed.stdout is not None and killed.stdout.readline() == "1\n"
        os.kill(killed.pid, signal.SIGKILL)
    trial = study.ask()
    assert trial is not None and (trial.number, trial.attempt, trial.config) == (0, 2, {"x": 7})
    assert trial.report(loss=0.3) and trial.renew()
    trial.done(loss=0.2)
    with pytest.raises((tryout.Refused, tryout.NotRunning)):
        trial.report(loss=9)
    (only,) = study.wait().trials
    assert (only.status, only.value, only.iterations) == ("TERMINATED", 0.2, 2)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    study = tryout.study(space={"x": tryout.grid([1, 2])}, minimize="loss", dir=tmp_path, name="words", askers=2)
    with pytest.raises(tryout.Refused, match="give seconds, more than 0"):
        study.ask(lease=0)
    first, second = study.ask(), study.ask()
    assert first is not None and second is not None
    first.fail("the oven was cold")
    second.done(loss=1.0)
    results = study.wait()
    assert [trial.status for trial in results.trials] == ["ERROR", "TERMINATED"]
    assert "the oven was cold" in str(results.errors[0].error)
    with pytest.raises(FileNotFoundError, match="is no run"):
        tryout.join(tmp_path)
    with pytest.raises(tryout.SpecError, match="who works on the trials"):
        tryout.study(space={"x": tryout.grid([1])}, command=["true"], dir=tmp_path, name="both")
