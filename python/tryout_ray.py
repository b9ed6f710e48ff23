"""Asks a Ray cluster for workers, on behalf of a tryout engine.

The engine starts it (`Ray` in Rust, `--on ray`) with an interpreter that has `ray`, and talks to it in lines of JSON: a request is one
line on the standard input, its answer one line on the standard output.

    {"submit": {"name": ..., "bundles": [{"cpu": 1, "gpu": 0.5}], "workers": 2, "command": [...], "strategy": "PACK", "output": ...}}
                                                        {"id": name} or {"refused": words} or {"unavailable": words}
    {"list": prefix}                                    {"jobs": [{"id", "name", "state", "says"}]}
    {"cancel": [id, ...]}                               {"cancelled": true}

Each worker is an actor that runs the agent as its child and ends with it. Several bundles, or several workers, are one placement group.
Actors and groups are detached and have names, so that the next session finds what a killed engine left.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, Optional

import ray
from ray.util.placement_group import (
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

__version__ = "0.1.0"

Json = Dict[str, Any]
#: A child that is told to end has so many seconds.
GRACE = 10.0


def ray_bundle(bundle: Dict[str, float]) -> Dict[str, float]:
    """Amounts under Ray's names. Memory is in bytes for both."""
    names = {"cpu": "CPU", "gpu": "GPU"}
    return {names.get(name, name): amount for name, amount in bundle.items() if amount > 0}


class Agent:
    """An actor that runs one agent as its child, and ends with it."""

    def __init__(self, command: List[str], variables: Dict[str, str], output: Optional[str]) -> None:
        self.command, self.variables, self.output = command, variables, output
        self.child: Optional["subprocess.Popen[bytes]"] = None

    def start(self) -> int:
        # Ray has set the GPUs of this actor in the environment.
        environment = dict(os.environ, **self.variables)
        out: Any = subprocess.DEVNULL
        if self.output:
            try:
                out = open(self.output, "ab")
            except OSError:
                # The directory needn't be there on that node.
                pass
        self.child = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
        threading.Thread(target=self.watch, args=(self.child,), daemon=True).start()
        return self.child.pid

    def watch(self, child: "subprocess.Popen[bytes]") -> None:
        child.wait()
        # The actor is of no use without it.
        os._exit(0)

    def stop(self) -> None:
        if self.child is not None:
            try:
                os.killpg(self.child.pid, signal.SIGTERM)
                self.child.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Job:
    """One allocation: a placement group with an actor for each worker."""

    def __init__(self, name: str, group: Any) -> None:
        self.name, self.group = name, group
        self.actors: List[Any] = []
        self.starts: List[Any] = []
        self.failed = ""


class Cluster:
    """Everything that was asked for, by its name."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.jobs: Dict[str, Job] = {}

    def submit(self, job: Json) -> Json:
        bundles = [ray_bundle(bundle) for bundle in job["bundles"]]
        bundles = [bundle for bundle in bundles if bundle] * job["workers"]
        never = self.never(bundles)
        if never:
            return {"refused": never}
        name = job["name"]
        group = placement_group(bundles, strategy=job["strategy"], name=name, lifetime="detached")
        made = Job(name, group)
        per_worker = len(bundles) // job["workers"]
        for worker in range(job["workers"]):
            made.actors.append(self.actor(made, worker, worker * per_worker, bundles[worker * per_worker], job))
        # It runs as soon as the group is there.
        made.starts = [actor.start.remote() for actor in made.actors]
        self.jobs[name] = made
        return {"id": name}

    def actor(self, made: Job, worker: int, at: int, bundle: Dict[str, float], job: Json) -> Any:
        others = {name: amount for name, amount in bundle.items() if name not in ("CPU", "GPU", "memory")}
        options = {
            "num_cpus": bundle.get("CPU", 0),
            "num_gpus": bundle.get("GPU", 0),
            "memory": bundle.get("memory") or None,
            "resources": others or None,
            "name": "%s/%d" % (made.name, worker),
            "namespace": self.namespace,
            "lifetime": "detached",
            "max_concurrency": 2,
            "scheduling_strategy": PlacementGroupSchedulingStrategy(
                placement_group=made.group, placement_group_bundle_index=at
            ),
        }
        output = job.get("output")
        return ray.remote(Agent).options(**options).remote(job["command"], job.get("variables") or {}, output)

    def never(self, bundles: List[Dict[str, float]]) -> str:
        """Why no node of the cluster, as it is now, could ever have one of the bundles."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for bundle in bundles:
            if not any(all(node.get(name, 0) >= amount for name, amount in bundle.items()) for node in nodes):
                return "no node has %s" % words(self.lacking(bundle, nodes))
        return ""

    @staticmethod
    def lacking(bundle: Dict[str, float], nodes: List[Dict[str, float]]) -> Dict[str, float]:
        """What of a bundle no node has by itself; all of it, if each has a part."""
        lacks = {name: n for name, n in bundle.items() if not any(node.get(name, 0) >= n for node in nodes)}
        return lacks or bundle

    def list(self, prefix: str) -> Json:
        tables = placement_group_table().values()
        groups = {table["name"]: table for table in tables if table["name"].startswith(prefix)}
        named = ray.util.list_named_actors(all_namespaces=True)
        alive = {one["name"].rpartition("/")[0] for one in named if one["namespace"] == self.namespace}
        return {"jobs": [self.listed(name, table, name in alive) for name, table in groups.items()]}

    def listed(self, name: str, table: Json, alive: bool) -> Json:
        state, says = "ended", ""
        if table["state"] == "REMOVED":
            self.jobs.pop(name, None)
        elif table["state"] != "CREATED":
            state, says = "waiting", self.why(table)
        elif alive:
            state = "running"
        else:
            says = self.failure(name)
            # Its room is free for others.
            self.remove(name)
        return {"id": name, "name": name, "state": state, "says": says}

    def failure(self, name: str) -> str:
        job = self.jobs.get(name)
        for start in job.starts if job else []:
            try:
                ray.get(start, timeout=0)
            except Exception as error:
                return str(error).strip().splitlines()[-1]
        return ""

    def why(self, table: Json) -> str:
        bundles = list(table["bundles"].values())
        never = self.never(bundles)
        if never:
            return never
        free = ray.available_resources()
        total: Dict[str, float] = {}
        for bundle in bundles:
            for name, amount in bundle.items():
                total[name] = total.get(name, 0) + amount
        lacks = {name: amount for name, amount in total.items() if free.get(name, 0) < amount}
        return "waits for %s; free: %s" % (words(lacks or total), words({n: free.get(n, 0) for n in (lacks or total)}))

    def cancel(self, ids: List[str]) -> Json:
        for name in ids:
            self.stop(name)
            self.remove(name)
        return {"cancelled": True}

    def stop(self, name: str) -> None:
        """The agents get a signal and a moment; then the group's end is theirs."""
        stops = []
        for worker in range(10_000):
            try:
                stops.append(ray.get_actor("%s/%d" % (name, worker), namespace=self.namespace).stop.remote())
            except ValueError:
                break
        if stops:
            ray.wait(stops, num_returns=len(stops), timeout=GRACE if self.is_placed(name) else 0)

    def is_placed(self, name: str) -> bool:
        return any(t["name"] == name and t["state"] == "CREATED" for t in placement_group_table().values())

    def remove(self, name: str) -> None:
        job = self.jobs.pop(name, None)
        group = job.group if job else None
        if group is None:
            try:
                group = get_placement_group(name)
            except ValueError:
                return
        remove_placement_group(group)


def words(amounts: Dict[str, float]) -> str:
    names = {"CPU": "cpu", "GPU": "gpu"}
    return ", ".join("%s %g" % (names.get(name, name), amount) for name, amount in sorted(amounts.items()))


def answer(cluster: Cluster, request: Json) -> Json:
    calls: Dict[str, Callable[[Any], Json]] = {
        "submit": cluster.submit,
        "list": cluster.list,
        "cancel": cluster.cancel,
    }
    for name, call in calls.items():
        if name in request:
            try:
                return call(request[name])
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                return {"unavailable": "%s: %s" % (type(error).__name__, str(error).strip())}
    return {"refused": "it isn't known what to do with %r" % sorted(request)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Asks a Ray cluster for workers, on behalf of a tryout engine.")
    parser.add_argument("--address", default="auto", help="the cluster, as `ray.init` takes it; `local` starts one")
    parser.add_argument("--namespace", default="tryout", help="where the actors have their names")
    options = parser.parse_args()
    # What Ray prints is for people, and the standard output is the engine's.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        ray.init(address=options.address, namespace=options.namespace, log_to_driver=False, configure_logging=False)
    except Exception as error:
        print(json.dumps({"failed": "%s: %s" % (type(error).__name__, error)}), file=answers, flush=True)
        return
    print(json.dumps({"ray": ray.__version__, "protocol": 1}), file=answers, flush=True)
    cluster = Cluster(options.namespace)
    for line in sys.stdin:
        print(json.dumps(answer(cluster, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
