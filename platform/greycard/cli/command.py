"""The command line: ``greycard encode | decode | verify | submit | doctor``."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

from greycard import __version__
from greycard.cli import doctor
from greycard.cli.submit import DEFAULT_ADDRESS, Submission, parse_env, submit
from greycard.cli.verbs import VERBS
from greycard.codecs import CODECS
from greycard.codecs.files import FileStatus, decode_path, encode_path, verify_path
from greycard.config import override
from greycard.protocols import Codec
from greycard.schema import OK
from greycard.serving import codec
from greycard.tracking import fetch

_CODING = """examples:
  greycard encode photo.png photo.gcard --weights runs/demo/codecs/models/hyperprior_balanced@0.0009/weights
  greycard decode photo.gcard photo.png --weights models:/greycard-hyperprior_balanced-0.0009/1
  greycard verify faces/ --weights runs/demo/codecs/models/hyperprior_balanced@0.0009/weights
  greycard encode faces/ coded/ --quality 10
  greycard encode faces/ coded/ --codec jpeg --set qualities=[10] --set tables=once

Without --weights and --codec the codec is JPEG. A file says at which point it was written: decoding needs the
codec alone, with the same --set where that changes the format. Of several points, encode and verify take the first."""

_SUBMITTING = """examples:
  greycard submit study demo --address http://127.0.0.1:8265 --set root=/shared/greycard
  greycard submit audit paper000 --address https://ray.example.org --set audit.resources.num_gpus=0.25

The working directory is uploaded (what .rayignore and .gitignore name stays behind), the job's log is followed and its
exit code becomes this command's. MLFLOW_TRACKING_URI and RAY_AUTH_MODE go along. The plain way does the same:
  ray job submit --address http://127.0.0.1:8265 --working-dir . -- python -m jobs.study demo"""


JPEG: Final = "jpeg"
QUALITY: Final = 50


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (2 for bad usage)."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (ValueError, OSError, RuntimeError) as error:
        if type(error).__module__.startswith("greycard.") or isinstance(error, ValueError | FileNotFoundError):
            print(f"error: {error}", file=sys.stderr)
            return 1
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="greycard",
        description="Measures and narrows group differences in image models. Jobs run as `python -m jobs.VERB RECIPE`.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_coding(verbs)
    _add_submit(verbs)
    looking = verbs.add_parser("doctor", help="say what this machine has, what is missing and where it would go")
    looking.set_defaults(run=lambda arguments: doctor.report())
    return parser


def _add_coding(verbs: Any) -> None:
    for name, does in (
        ("encode", "encode an image, or every image of a folder, into .gcard files"),
        ("decode", "decode .gcard files into PNG"),
        ("verify", "say whether files decode to the very pixels that audits score"),
    ):
        verb = verbs.add_parser(
            name, help=does, description=does, epilog=_CODING, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        verb.add_argument("source", help="a file or a folder")
        if name != "verify":
            verb.add_argument("target", help="the file to write for a file, the folder for a folder")
        verb.add_argument("--weights", default="", help="a trained codec: a folder, runs:/..., models:/... or s3://...")
        verb.add_argument("--codec", choices=sorted(CODECS), default=JPEG, help=f"without --weights (default {JPEG})")
        verb.add_argument(
            "--set", dest="settings", metavar="NAME=VALUE", action="append", default=[], help="of --codec"
        )
        if name != "decode":
            verb.add_argument("--quality", type=int, help=f"of JPEG, 1..100 (default {QUALITY})")
        verb.set_defaults(run=_code, verb=name)


def _add_submit(verbs: Any) -> None:
    verb = verbs.add_parser(
        "submit",
        help="run a job on a Ray cluster and follow it",
        description="Run `python -m jobs.VERB RECIPE` on a Ray cluster and follow it.",
        epilog="\n".join(["verbs:", *(f"  {name:10}  {does}" for name, does in VERBS.items()), "", _SUBMITTING]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("verb", choices=VERBS, metavar="VERB", help=", ".join(VERBS))
    verb.add_argument("recipe", metavar="RECIPE", help="as in `python -m jobs.VERB --list`")
    verb.add_argument("--set", dest="settings", metavar="NAME=VALUE", action="append", default=[])
    verb.add_argument("--address", default=DEFAULT_ADDRESS, help=f"the job server (default {DEFAULT_ADDRESS})")
    verb.add_argument("--working-dir", default=".", help="folder to upload, or an URI (default: this folder)")
    verb.add_argument("--python", default="", help="interpreter on the head (default: python; here: this one)")
    verb.add_argument("--env", metavar="NAME=VALUE", action="append", default=[], help="for the driver and workers")
    verb.add_argument("--no-wait", action="store_true", help="do not follow the log")
    verb.set_defaults(run=_submit)


def _submit(arguments: argparse.Namespace) -> int:
    settings = [part for setting in arguments.settings for part in ("--set", setting)]
    submission = Submission(
        verb=arguments.verb,
        arguments=(arguments.recipe, *settings),
        address=arguments.address,
        working_dir=arguments.working_dir,
        python=arguments.python,
        env=parse_env(arguments.env),
    )
    return submit(submission, wait=not arguments.no_wait)


def _code(arguments: argparse.Namespace) -> int:
    chosen = _codec(arguments)
    point = chosen.points[0]
    if arguments.verb == "encode":
        return _show(encode_path(chosen, arguments.source, arguments.target, point))
    if arguments.verb == "decode":
        return _show(decode_path(chosen, arguments.source, arguments.target))
    return _show(verify_path(chosen, arguments.source, point))


def _codec(arguments: argparse.Namespace) -> Codec:
    quality = getattr(arguments, "quality", None)
    if arguments.weights:
        if arguments.settings or arguments.codec != JPEG or quality is not None:
            raise ValueError("--weights name a codec and its one point: leave out --codec, --set and --quality")
        return codec(fetch(arguments.weights), bitstreams=True)
    settings = list(arguments.settings)
    if arguments.codec == JPEG:
        settings.insert(0, f"qualities=[{QUALITY if quality is None else quality}]")
    elif quality is not None:
        raise ValueError(f"--quality is of {JPEG}; say with --set what {arguments.codec} is to do")
    return override(CODECS[arguments.codec](), settings).build()


def _show(files: Sequence[FileStatus]) -> int:
    """Print a line per file; returns 1 if one failed."""
    for file in files:
        place = f"{file.source} -> {file.target}" if file.target else str(file.source)
        print(f"{file.status}  {place}  {file.detail or file.error}")
    failed = sum(file.status != OK for file in files)
    if failed:
        print(f"error: {failed} of {len(files)} files failed", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
