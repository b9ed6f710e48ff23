"""Writing a notebook's function to a module, so that workers find it."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import linecache
import os
import sys
import textwrap
from types import ModuleType

from ._errors import TryoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def to_module(train: Any, path: str | os.PathLike[str], *, overwrite: bool = True) -> Any:
    """Writes a function or class of a notebook, with what it uses of it, to a module at `path`; returns it from there.

    Imported modules and names become imports; functions and classes of the notebook are written too; numbers, texts, lists
    and the like are written as they are now. Anything else that is used is an error, which names it.
    """
    path = os.path.abspath(path)
    name = os.path.splitext(os.path.basename(path))[0]
    if not path.endswith(".py") or not name.isidentifier():
        raise ValueError(f"{path!r} can't be a module: its name must be one of Python's names, and end in .py")
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path!r} is there already")
    pieces: dict[str, str] = {}
    _collect(train, pieces)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join(pieces.values()) + "\n")
    # Workers look for modules where this process does.
    folder = os.path.dirname(path)
    if folder not in map(os.path.abspath, sys.path):
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TryoutError(f"{path!r} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return getattr(module, train.__name__)


def _collect(thing: Any, pieces: dict[str, str]) -> None:
    """Its source, after what it uses."""
    source = _source(thing)
    if not isinstance(thing, type) and thing.__name__ == "<lambda>":
        raise TryoutError("a lambda has no name to be found by: write it with `def`")
    # Held open, so that two that call each other come to an end.
    pieces[thing.__name__] = ""
    scope = vars(sys.modules[thing.__module__])
    for name in _names(source):
        if name not in pieces and name in scope:
            _use(name, scope[name], pieces)
    pieces[thing.__name__] = source
    # What it uses stands before it.
    pieces[thing.__name__] = pieces.pop(thing.__name__)


def _source(thing: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError) as error:
        # Python looks for a class in its module's file, which a notebook hasn't; its methods know their cell.
        methods = (
            [method for method in vars(thing).values() if inspect.isfunction(method)] if isinstance(thing, type) else []
        )
        for method in methods:
            text = "".join(linecache.getlines(method.__code__.co_filename))
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name == thing.__name__:
                    decorators = [f"@{ast.unparse(each)}" for each in node.decorator_list]
                    return "\n".join([*decorators, textwrap.dedent(ast.get_source_segment(text, node, padded=True) or "")])
        words = f"the source of {thing!r} isn't there ({error})"
        raise TryoutError(f"{words}: write it to a module by hand, and import it") from None


def _names(source: str) -> list[str]:
    """The names that it reads, in their order."""
    read = (node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return [name for name in dict.fromkeys(read) if not hasattr(builtins, name)]


def _use(name: str, value: Any, pieces: dict[str, str]) -> None:
    home = getattr(value, "__module__", None)
    own = getattr(value, "__name__", None)
    if isinstance(value, ModuleType):
        pieces[name] = f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
    elif home == "__main__" and (inspect.isfunction(value) or isinstance(value, type)):
        if own != name:
            raise TryoutError(f"{name!r} is another name of {own!r}: write it out, so that a module can have it")
        _collect(value, pieces)
    elif own is not None and home in sys.modules and getattr(sys.modules[home], own, None) is value:
        pieces[name] = f"from {home} import {own} as {name}" if own != name else f"from {home} import {own}"
    else:
        written = repr(value)
        try:
            same = bool(ast.literal_eval(written) == value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            same = False
        if not same:
            raise TryoutError(
                f"{name!r} is a {type(value).__qualname__}, which can't be written to a module: make it within the "
                "function, or write the module by hand"
            )
        pieces[name] = f"{name} = {written}"
