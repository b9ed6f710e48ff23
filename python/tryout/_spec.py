"""The experiment file of a run: what was said, as JSON, and where it is kept."""

from __future__ import annotations

import json
import os
import re

from ._errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def plain(value: Any, place: str = "") -> Any:
    """A value as JSON has it. Numbers of numpy and the like are taken."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value - value != 0.0:
            raise SpecError(f"{place or 'a value'} is {value}, which JSON hasn't")
        return float(value)
    if hasattr(value, "items"):
        return {str(key): plain(inner, f"{place}.{key}" if place else str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(inner, f"{place}[{at}]") for at, inner in enumerate(value)]
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return plain(value.item(), place)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    words = f"{place or 'a value'} is a {type(value).__module__}.{type(value).__qualname__}"
    raise SpecError(f"{words}, but configurations are JSON: give its name or number, and look it up in the function")


def base(train: Any, settings: Mapping[str, Any]) -> str:
    """The name of a run that has none."""
    program = (settings.get("worker") or settings.get("command") or ["run"])[0]
    name = getattr(train, "__name__", None) or os.path.basename(str(program))
    return re.sub(r"[^A-Za-z0-9_-]+", "", name) or "run"


def free(dir: str, base: str, resume: bool) -> str:
    """The first of `base`, `base-2`, `base-3`, .. that isn't there, and is now; with `resume`, the last that is."""
    os.makedirs(dir, exist_ok=True)
    number, last = 1, base
    while True:
        name = base if number == 1 else f"{base}-{number}"
        if resume and not os.path.isdir(os.path.join(dir, name)):
            return last
        if not resume:
            try:
                os.mkdir(os.path.join(dir, name))
                return name
            except FileExistsError:
                pass
        number, last = number + 1, name


def written(dir: str, name: str, spec: dict[str, Any]) -> str:
    """Writes the experiment file; answers its path."""
    folder = os.path.join(dir, ".tryout")
    path = os.path.join(folder, re.sub(r"[^A-Za-z0-9._-]", "_", name) + ".json")
    text = json.dumps(plain(spec), indent=1, allow_nan=False)
    os.makedirs(folder, exist_ok=True)
    draft = f"{path}.{os.getpid()}.draft"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(draft, path)
    return path
