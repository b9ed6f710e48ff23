"""The same functions, curves and budgets with Optuna, for the tables in benches/README.md.

    pip install optuna cmaes scipy && python benches/quality/optuna_twin.py
"""

import math
import random
import statistics

import optuna

SEEDS = 20
BUDGET = 100
ITERATIONS = 81
TRIALS = 64

optuna.logging.set_verbosity(optuna.logging.ERROR)


def cube(trial, dimensions, low, high):
    return [trial.suggest_float(f"x{number}", low, high) for number in range(dimensions)]


def branin(trial):
    x, y = trial.suggest_float("x0", -5, 10), trial.suggest_float("x1", 0, 15)
    b, c = 5.1 / (4 * math.pi**2), 5 / math.pi
    return (y - b * x * x + c * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann(trial):
    a = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    p = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
    x = cube(trial, 6, 0, 1)
    rows = zip([1.0, 1.2, 3.0, 3.2], a, p)
    return -sum(h * math.exp(-sum(ai * (xi - pi) ** 2 for ai, pi, xi in zip(ar, pr, x))) for h, ar, pr in rows)


def rosenbrock(trial):
    x = cube(trial, 4, -2, 2)
    return sum(100 * (n - m * m) ** 2 + (1 - m) ** 2 for m, n in zip(x, x[1:]))


def ackley(trial):
    x = cube(trial, 5, -32.768, 32.768)
    squares = sum(v * v for v in x) / len(x)
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return -20 * math.exp(-0.2 * math.sqrt(squares)) - math.exp(waves) + 20 + math.e


def mixed(trial):
    rate, depth = trial.suggest_float("rate", 1e-5, 1, log=True), trial.suggest_int("depth", 1, 10)
    kind = trial.suggest_categorical("kind", ["a", "b", "c", "d"])
    norm = trial.suggest_categorical("norm", ["none", "batch", "layer"])
    drop = trial.suggest_float("drop", 0, 0.9)
    best, worse = {"a": (-2, 0), "b": (-3, 0.3), "c": (-1, 0.6), "d": (-4, 1)}[kind]
    worse += {"batch": 0, "layer": 0.2, "none": 0.7}[norm]
    return (math.log10(rate) - best) ** 2 + ((depth - 6) / 3) ** 2 + worse + (2 * (drop - 0.25)) ** 2


FUNCTIONS = [
    ("Branin", branin, 0.397887),
    ("Hartmann-6", hartmann, -3.32237),
    ("Rosenbrock-4", rosenbrock, 0),
    ("Ackley-5", ackley, 0),
    ("mixed", mixed, 0),
]

SAMPLERS = [
    ("Optuna random", lambda seed: optuna.samplers.RandomSampler(seed=seed)),
    ("Optuna NSGA-II (20)", lambda seed: optuna.samplers.NSGAIISampler(population_size=20, seed=seed)),
    ("Optuna TPE", lambda seed: optuna.samplers.TPESampler(seed=seed)),
    ("Optuna CMA-ES", lambda seed: optuna.samplers.CmaEsSampler(seed=seed)),
]


def functions():
    print(f"Optuna {optuna.__version__}\n")
    print("| sampler | " + " | ".join(name for name, _, _ in FUNCTIONS) + " |")
    print("|---" * (len(FUNCTIONS) + 1) + "|")
    for name, make in SAMPLERS:
        cells = []
        for _, function, least in FUNCTIONS:
            found = []
            for seed in range(SEEDS):
                study = optuna.create_study(sampler=make(seed))
                study.optimize(function, n_trials=BUDGET)
                found.append(study.best_value - least)
            cells.append(f"{sorted(found)[SEEDS // 2]:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def loss(part, iteration):
    last = math.hypot(part["x"] - 0.3, part["y"] - 0.7)
    first = 1.5 + part["start"]
    noise = math.fmod(math.sin((part["x"] * 977 + part["y"] * 613) * iteration) * 43758.545, 1) * 0.01
    return last + (first - last) * iteration ** (-0.4 - part["rate"]) + noise


def curves():
    shares = []
    for seed in range(SEEDS):
        draw = random.Random(seed)
        drawn = [{name: draw.random() for name in ("x", "y", "rate", "start")} for _ in range(TRIALS)]
        target = min(loss(part, iteration) for part in drawn for iteration in range(1, ITERATIONS + 1))
        used, reached = 0, math.inf

        def train(trial):
            nonlocal used, reached
            part = {name: trial.suggest_float(name, 0, 1) for name in ("x", "y", "rate", "start")}
            for iteration in range(1, ITERATIONS + 1):
                used += 1
                now = loss(part, iteration)
                if now <= target:
                    reached = min(reached, used)
                trial.report(now, iteration)
                if trial.should_prune():
                    raise optuna.TrialPruned()
            return now

        pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=ITERATIONS, reduction_factor=3)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed), pruner=pruner)
        study.optimize(train, n_trials=400)
        shares.append(reached / (TRIALS * ITERATIONS))
    shown = f"{statistics.median_high(shares):.2f}"
    print(f"\n| Optuna's HyperbandPruner | 400 | {shown} | {sum(map(math.isfinite, shares))} of {SEEDS} |")


if __name__ == "__main__":
    functions()
    curves()
