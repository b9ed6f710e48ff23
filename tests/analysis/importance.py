"""Writes importance.json: random trials, and how important Optuna 5 says their parameters are. `pip install optuna==5.0.0`."""

import json
import math
import random
import warnings

import optuna
from optuna.distributions import CategoricalDistribution as Options, FloatDistribution as Float, IntDistribution as Int

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
rnd = random.Random(12)


def log(low, high):
    return float(f"{math.exp(rnd.uniform(math.log(low), math.log(high))):.6g}")


def even(low, high):
    return round(rnd.uniform(low, high), 6)


def study(name, count, space, draw, value, mode="min"):
    """`draw` gives parameters, their distributions, and the configuration if it is nested."""
    made = optuna.create_study(direction="minimize" if mode == "min" else "maximize")
    trials = []
    for _ in range(count):
        params, distributions, config = draw()
        result = round(value(params), 6)
        made.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=result))
        trials.append([config, result])
    found = optuna.importance.get_param_importances(made, normalize=False)
    return {"name": name, "mode": mode, "space": space, "trials": trials, "importances": found}


def mixed(count, mode="min"):
    space = {
        "lr": {"log_uniform": [1e-5, 1e-1]}, "momentum": {"uniform": [0, 1]}, "depth": {"int": [2, 8]},
        "width": {"log_int": [16, 1025]}, "act": {"choice": ["relu", "gelu", "tanh"]},
        "drop": {"uniform": [0, 0.5], "quantum": 0.05}, "wide": {"int": [0, 2001]}, "pairs": {"int": [0, 40], "quantum": 2},
        "batch": {"grid": [16, 32, 64, 128]},
    }
    distributions = {
        "lr": Float(1e-5, 1e-1, log=True), "momentum": Float(0.0, 1.0), "depth": Int(2, 7), "width": Int(16, 1024, log=True),
        "act": Options(["relu", "gelu", "tanh"]), "drop": Float(0.0, 0.5, step=0.05), "wide": Int(0, 2000),
        "pairs": Int(0, 40, step=2), "batch": Options([16, 32, 64, 128]),
    }

    def draw():
        params = {
            "lr": log(1e-5, 1e-1), "momentum": even(0, 1), "depth": rnd.randint(2, 7), "width": int(log(16, 1024)),
            "act": rnd.choice(["relu", "gelu", "tanh"]), "drop": round(rnd.randint(0, 10) * 0.05, 2),
            "wide": rnd.randint(0, 2000), "pairs": 2 * rnd.randint(0, 20), "batch": rnd.choice([16, 32, 64, 128]),
        }
        return params, distributions, params

    def value(params):
        loss = (math.log10(params["lr"]) + 3) ** 2 + 0.3 * abs(params["depth"] - 5) + params["drop"] + 0.05 * rnd.random()
        loss += 0.5 if params["act"] == "tanh" else 0
        return loss if mode == "min" else -loss

    return study(f"mixed {count} {mode}", count, space, draw, value, mode)


def conditional(count):
    sgd = {"kind": "sgd", "momentum": {"uniform": [0, 1]}, "lr": {"log_uniform": [1e-3, 1]}}
    adam = {"kind": "adam", "beta": {"uniform": [0.8, 1]}, "lr": {"log_uniform": [1e-5, 1e-2]}}

    def draw():
        kind = rnd.choice(["sgd", "adam"])
        if kind == "sgd":
            inner, distributions = {"momentum": even(0, 1), "lr": log(1e-3, 1)}, {
                "opt/momentum": Float(0.0, 1.0), "opt/lr": Float(1e-3, 1.0, log=True)}
        else:
            inner, distributions = {"beta": even(0.8, 1), "lr": log(1e-5, 1e-2)}, {
                "opt/beta": Float(0.8, 1.0), "opt/lr": Float(1e-5, 1e-2, log=True)}
        params = {"opt": kind, **{f"opt/{name}": value for name, value in inner.items()}}
        return params, {"opt": Options(["sgd", "adam"]), **distributions}, {"opt": {"kind": kind, **inner}}

    def value(params):
        if params["opt"] == "sgd":
            return (params["opt/momentum"] - 0.9) ** 2 + 0.1 * (math.log10(params["opt/lr"]) + 1) ** 2
        return 0.05 + (params["opt/beta"] - 0.9) ** 2 + 0.1 * (math.log10(params["opt/lr"]) + 3) ** 2

    return study(f"conditional {count}", count, {"opt": {"choice": [sgd, adam]}}, draw, value)


def ties(count):
    distributions = {"x": Int(0, 9), "flag": Options([False, True])}

    def draw():
        params = {"x": rnd.randint(0, 9), "flag": rnd.random() < 0.5}
        return params, distributions, params

    space = {"x": {"int": [0, 10]}, "flag": {"choice": [False, True]}}
    return study(f"ties {count}", count, space, draw, lambda params: float(abs(params["x"] - 4)))


def few_values(count):
    distributions = {"bits": Int(1, 2, log=True), "lr": Float(1e-4, 1e-3, log=True)}

    def draw():
        params = {"bits": rnd.randint(1, 2), "lr": log(1e-4, 1e-3)}
        return params, distributions, params

    space = {"bits": {"log_int": [1, 3]}, "lr": {"log_uniform": [1e-4, 1e-3]}}
    return study(f"few values {count}", count, space, draw, lambda params: 1000 * params["lr"] * params["bits"])


studies = [mixed(20), mixed(60), mixed(120, "max"), conditional(20), conditional(120), ties(40), few_values(30)]
source = f"optuna {optuna.__version__}, get_param_importances(study, normalize=False)"
with open("importance.json", "w") as file:
    file.write(json.dumps({"recorded_from": source, "studies": studies}, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
for each in studies:
    print(each["name"], {name: round(value, 6) for name, value in each["importances"].items()})
