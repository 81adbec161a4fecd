"""The command line that every job shares: ``python -m jobs.VERB RECIPE --set a.b=c --list --dry-run``.

RECIPE is a name of ``--list``, or the path of a YAML file of a full configuration, as ``--dry-run`` prints it.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from greycard import config as configs
from greycard.schema import unknown

C = TypeVar("C")
_YAML = (".yaml", ".yml")
_KIND = re.compile(r"^kind:\s*['\"]?([\w-]+)", re.MULTILINE)  # of the whole file: at the start of a line
BAD_INPUT = 2  # exit code of an unknown recipe, field or value, as argparse uses it


def main(
    verb: str,
    recipes: Mapping[str, Callable[[], C]],
    run: Callable[[C], Any],
    doc: str,
    argv: Sequence[str] | None = None,
    *,
    check_resume: Callable[[C], None] | None = None,
) -> int:
    """Parse the command line of a job, resolve its config and run it.

    Args:
        verb: the job's name, as in ``jobs.audit``.
        recipes: name -> function returning one full config; its docstring's first line is shown by ``--list``.
        run: what to do with the config.
        doc: the job's help text.
        argv: arguments without the program's name; the process's own by default.
        check_resume: gives the job a ``--resume`` that calls it first; it raises where there is nothing to resume.

    Returns:
        The exit code: 0, 1 when the job failed with an error of ours, 2 for an unknown name or a bad value.
    """
    parser = _parser(verb, recipes, doc)
    if check_resume:
        parser.add_argument("--resume", action="store_true", help="refuse to start from nothing")
    arguments = parser.parse_args(argv)
    if arguments.list or arguments.recipe is None:
        print(_listing(verb, recipes))
        return 0 if arguments.list else BAD_INPUT
    try:
        config = configs.override(_recipe(arguments.recipe, recipes), arguments.settings)
    except configs.ConfigError as error:
        return _fail(str(error), BAD_INPUT)
    if arguments.dry_run:
        print(configs.to_yaml(config), end="")
        return 0
    try:
        if check_resume and arguments.resume:
            check_resume(config)
        run(config)
    except Exception as error:
        if arguments.debug or not _is_worded(error):
            raise
        return _fail(str(error), 1)
    return 0


def _recipe(name: str, recipes: Mapping[str, Callable[[], C]]) -> C:
    """Return the config of that name, or of that YAML file.

    Raises:
        ConfigError: there is neither, or the file is no configuration of this job.
    """
    if name in recipes:
        return recipes[name]()
    path = Path(name).expanduser()
    if path.suffix not in _YAML and len(path.parts) == 1:
        raise configs.ConfigError(f"{unknown('recipe', name, list(recipes))}; or give the path of a YAML file")
    if not path.is_file():
        raise configs.ConfigError(
            f"no file {name}: RECIPE is one of {', '.join(recipes)}, or a YAML file as --dry-run prints it"
        )
    try:
        text = path.read_text(encoding="utf-8")
        return configs.from_yaml(_class_of(text, recipes), text)
    except (configs.ConfigError, UnicodeDecodeError) as error:
        raise configs.ConfigError(f"{name}: {error}") from None


def _class_of(text: str, recipes: Mapping[str, Callable[[], C]]) -> type[C]:
    """Return the class that YAML text is of: where a job's recipes are of several, a ``kind`` tells them apart."""
    classes = list(dict.fromkeys(type(recipe()) for recipe in recipes.values()))
    kinds = {item.default: cls for cls in classes for item in fields(cast(Any, cls)) if item.name == "kind"}
    without = [cls for cls in classes if cls not in kinds.values()]
    found = _KIND.search(text)
    return kinds.get(found.group(1) if found else "", (without or classes)[0])


def _is_worded(error: Exception) -> bool:
    """Say whether our own code raised an error of input or of the surroundings, in words for who runs the job."""
    if not isinstance(error, ValueError | OSError | RuntimeError):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(module).split(".")[0] in ("greycard", "jobs", "__main__")


def _parser(verb: str, recipes: Mapping[str, Callable[[], Any]], doc: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m jobs.{verb}",
        description=doc,
        epilog=_listing(verb, recipes),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", nargs="?", metavar="RECIPE", help="a name of the list below, or a YAML file as --dry-run prints it"
    )
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change one field by its dotted name, for example --set directory=runs/mine; repeat for several",
    )
    parser.add_argument("--list", action="store_true", help="list the recipes and stop")
    parser.add_argument("--debug", action="store_true", help="show the traceback of every error")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration as YAML and stop")
    return parser


def _listing(verb: str, recipes: Mapping[str, Callable[[], Any]]) -> str:
    width = max(map(len, recipes), default=0)
    lines = [f"  {name:{width}}  {(recipe.__doc__ or '').strip().splitlines()[0]}" for name, recipe in recipes.items()]
    return "\n".join([f"recipes of jobs.{verb}:", *lines])


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
