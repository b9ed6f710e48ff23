"""A trivial function, one result a trial, two at once: `import tryout` beside Optuna with its journal.

`pip install optuna` and the wheel that `.ci/wheel` builds; then `python benches/front.py tryout 2000` or `python benches/front.py optuna 2000`.
It prints one line of JSON: trials a second, from the call to its return.
"""

import json
import sys
import tempfile
import time

import tryout


def value(x):
    return (x - 3.0) ** 2


def train(config):
    return {"loss": value(config["x"])}


def by_tryout(trials, home):
    space = {"x": tryout.uniform(-10.0, 10.0)}
    results = tryout.run(train, space=space, minimize="loss", samples=trials, concurrency=2, dir=home, progress=False)
    assert len(results.trials) == trials and results.best.value < 1.0


def by_optuna(trials, home):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(f"{home}/journal.log"))
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
    study.optimize(lambda trial: value(trial.suggest_float("x", -10.0, 10.0)), n_trials=trials, n_jobs=2)
    assert len(study.trials) == trials and study.best_value < 1.0


which, trials = sys.argv[1], int(sys.argv[2])
home = tempfile.mkdtemp()
began = time.perf_counter()
{"tryout": by_tryout, "optuna": by_optuna}[which](trials, home)
seconds = time.perf_counter() - began
print(json.dumps({"which": which, "trials": trials, "seconds": round(seconds, 3), "trials_s": round(trials / seconds, 1)}))
