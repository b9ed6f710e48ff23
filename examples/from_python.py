"""Tunes a classifier of handwritten digits from a script that is its own worker: `python examples/from_python.py [SAMPLES]`.

It needs the wheel that `.ci/wheel` builds, or the program in PATH and `python` of this repository in PYTHONPATH.
"""

import sys
from pathlib import Path

import tryout

sys.path.insert(0, str(Path(__file__).parent / "digits"))
from train import Digits  # noqa: E402


def train(config, trial):
    digits = Digits()
    digits.trial = trial
    digits.setup(config)
    while True:
        yield digits.step()


results = tryout.run(
    train,
    space={
        "lr": tryout.log_uniform(1e-3, 1.0),
        "momentum": tryout.uniform(0.0, 0.99),
        "decay": tryout.log_uniform(1e-6, 1e-1),
        "batch": tryout.choice([8, 16, 32, 64]),
    },
    maximize="accuracy",
    samples=int(sys.argv[1]) if len(sys.argv) > 1 else 100,
    seed=1,
    scheduler=tryout.asha(max_t=27, grace_period=1, reduction_factor=3),
    limits={"step": "1m"},
)
print(f"{len(results.trials)} trials, best accuracy {results.best.value:.3f}: {results.best.config}")
print(f"the same again: tryout run {results.dir.parent}/.tryout/{results.name}.json --set name=again")
