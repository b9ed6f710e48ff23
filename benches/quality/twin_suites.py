"""Optuna's samplers on the suites of problems of `cargo bench --bench quality`, whose values that program gives.

    pip install optuna cmaes && python benches/quality/twin_suites.py --searcher tpe --seeds 20 --in-flight 1 > optuna.txt
    cargo bench --features testing,search --bench quality -- suites --searcher tpe --peer optuna.txt

Each line: suite, problem, seed, and the regret of the best that was observed after 10, 50, 100 and 200 trials.
"""

import argparse
import math
import subprocess

import optuna

BUDGETS = [10, 50, 100, 200]
SERVE = ["cargo", "bench", "--features", "testing,search", "--bench", "quality", "--", "serve"]
SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "cma": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
}


def ask(study, axes):
    trial, point = study.ask(), []
    for number, (kind, count, when) in enumerate(axes):
        name = f"x{number}"
        if when not in (-1, point[0] if point else -1):
            point.append(math.nan)
        elif kind == "number":
            point.append(trial.suggest_float(name, 0, 1))
        elif kind == "whole":
            point.append(trial.suggest_int(name, 0, count - 1))
        else:
            point.append(trial.suggest_categorical(name, list(range(count))))
    return trial, point


def run(values, number, axes, seed, in_flight, sampler):
    study = optuna.create_study(sampler=sampler(seed))
    live, asked, best, found = [], 0, (math.inf, None), []
    for ended in range(1, BUDGETS[-1] + 1):
        while len(live) < in_flight and asked < BUDGETS[-1]:
            live.append((asked, *ask(study, axes)))
            asked += 1
        place, trial, point = live.pop(0)
        print(number, seed, place, *point, file=values.stdin, flush=True)
        value, regret = map(float, values.stdout.readline().split())
        study.tell(trial, value)
        best = min(best, (value, regret), key=lambda pair: pair[0])
        if ended in BUDGETS:
            found.append(best[1])
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--searcher", default="tpe", choices=list(SAMPLERS))
    parser.add_argument("--set", default="held")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--suites", help="some of them, with commas between")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = subprocess.Popen(SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    problems, sampler = [], SAMPLERS[options.searcher]
    while line := values.stdout.readline().strip():
        which, suite, name, axes = line.split(";")
        axes = [(kind, int(count), int(when)) for kind, count, when in map(str.split, axes.split(","))]
        problems.append((which, suite, name, axes))
    # All problems with a seed before the next seed, so that what there is can be compared at any time.
    for seed in range(options.seeds):
        for number, (which, suite, name, axes) in enumerate(problems):
            if which == options.set and (options.suites is None or suite in options.suites.split(",")):
                print(suite, name, seed, *run(values, number, axes, seed, options.in_flight, sampler), flush=True)


if __name__ == "__main__":
    main()
