"""The command ``trisparse``.

A command is a frozen dataclass in a module of its own, ``pipelines/commands/<name>.py``. Its fields are the options (their
docstrings the help text, with unit and meaning; positional ones are ``tyro.conf.Positional[...]``), its docstring the
description, and ``run(self) -> None`` does the work::

    @dataclass(frozen=True)
    class Count:
        '''Count the points of a scan.'''

        scan: tyro.conf.Positional[Path]
        '''Scan file (.ply .pcd .glb .obj .npz .xyz).'''
        json: bool = False
        '''Print JSON for machines.'''

        def run(self) -> None: ...

To add one, write the module and add a row to ``COMMANDS`` below. The row's words are what the user types; the description is
kept here so that ``trisparse --help`` imports no command. A module is imported only when its command is called: an optional
package that is missing hurts nobody else.

Exit codes: 0; 1 for an error that the user can do something about (any ``TrisparseError``, or an error of the operating
system), told in plain words on stderr, with a traceback only under ``--debug``; 2 for wrong usage.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

from .. import __version__
from ..core.errors import BackendUnavailable, TrisparseError


@runtime_checkable
class Command(Protocol):
    """What a row of the table leads to."""

    def run(self) -> None:
        """Do the work.

        Raises:
            TrisparseError: The user can do something about it.
        """
        ...


class Row(NamedTuple):
    """One command: where its dataclass is and what it does."""

    target: str
    description: str


COMMANDS: dict[str, Row] = {
    "demo": Row("demo:Demo", "a furnished room, three sentences, their boxes, a picture"),
    "ground": Row("ground:Ground", "find in a scan what a sentence describes"),
    "render": Row("render:Render", "new views from a few photos, or from a file of splats"),
    "reconstruct": Row("reconstruct:Reconstruct", "a radiance field from the recording of an event camera"),
    "rooms": Row("rooms:Rooms", "generate furnished rooms in ScanNet's layout"),
    "train grounding": Row("train:TrainGrounding", "train the grounding network (published and small recipes)"),
    "evaluate rooms": Row("evaluate:EvaluateRooms", "measure a grounding network on the fixed set of generated rooms"),
    "evaluate scanrefer": Row("evaluate_datasets:EvaluateScanrefer", "measure it on your copy of ScanRefer"),
    "evaluate nr3d": Row("evaluate_datasets:EvaluateNr3d", "measure it on your copy of NR3D"),
    "evaluate sr3d": Row("evaluate_datasets:EvaluateSr3d", "measure it on your copy of SR3D"),
    "evaluate views": Row("evaluate_views:EvaluateViews", "measure renders of new views on photos held back"),
    "evaluate events": Row("evaluate_events:EvaluateEvents", "measure reconstructions from events on photos not seen"),
    "convert-checkpoint": Row("convert_checkpoint:ConvertCheckpoint", "published TSP3D checkpoints to safetensors"),
    "events info": Row("events:Info", "what is in a recording of an event camera"),
    "events convert": Row("events:Convert", "a recording in another format, with poses and calibration"),
    "events show": Row("events:Show", "a picture of the events of a recording"),
    "events simulate": Row("simulate:Simulate", "record a scene, or a film, with a simulated event camera"),
    "events calibrate": Row("events:Calibrate", "refractory period and contrast thresholds of the sensor"),
    "run scan-to-answer": Row("run:ScanToAnswer", "ask a scan; kept, resumed, with a page about it"),
    "run photos-to-answer": Row("run:PhotosToAnswer", "from a few photos to boxes in points and renders"),
    "run events-to-answer": Row("run:EventsToAnswer", "from an event recording to boxes in points and renders"),
    "status": Row("runs:Status", "what is cached, running, stopped or failed"),
    "show": Row("runs:Show", "what an artifact or a run is made of"),
    "gc": Row("runs:Gc", "remove what no run is made of"),
    "setup": Row("setup:Setup", "fetch the text model, which a wheel cannot carry"),
    "backends": Row("backends:Backends", "what runs here, and why not"),
}
"""What the user types -> ``"module of pipelines/commands:class"`` and a description."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after ``trisparse``; those of the process by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = _take_flag(words, "--debug")
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"trisparse {__version__}")
        return 0
    name = _find(words)
    if name is None:
        return _usage_error(words)
    rest = words[len(name.split()) :]
    try:
        _parse(name, rest).run()
        sys.stdout.flush()
    except SystemExit as stop:  # tyro: --help (0) and wrong options (2)
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        print("trisparse: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TrisparseError, OSError) as error:
        if debug:
            traceback.print_exc()
        # Plainly, never through rich: it would wrap long paths and take brackets for markup.
        print(f"trisparse {name}: error: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _take_flag(words: list[str], flag: str) -> bool:
    end = words.index("--") if "--" in words else len(words)
    if flag not in words[:end]:
        return False
    words.remove(flag)
    return True


def _find(words: list[str]) -> str | None:
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS:
            return name
    return None


def _parse(name: str, words: list[str]) -> Command:
    import tyro

    module, cls = COMMANDS[name].target.split(":")
    try:
        command = getattr(import_module(f".commands.{module}", __package__), cls)
    except ImportError as error:
        raise BackendUnavailable(
            f"the command cannot be loaded: {error}; install the missing package (pip install 'trisparse[all]')"
        ) from error
    return tyro.cli(command, args=words, prog=f"trisparse {name}", config=(tyro.conf.FlagCreatePairsOff,))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n")) or type(error).__name__


def _overview(prefix: str = "") -> str:
    rows = {name: row for name, row in COMMANDS.items() if name.startswith(prefix)}
    width = max(len(name) for name in rows)
    lines = [
        f"usage: trisparse {prefix or 'COMMAND'} ... [--debug]",
        "",
        "Sparse 3D from voxels, events and views.",
        "",
    ]
    lines += ["commands:", *(f"  {name:<{width}}  {row.description}" for name, row in rows.items()), ""]
    lines += ["trisparse COMMAND --help shows its options; --debug shows the traceback of an error;"]
    lines += ["--version shows the version."]
    return "\n".join(lines)


def _usage_error(words: list[str]) -> int:
    group = f"{words[0]} "
    if any(name.startswith(group) for name in COMMANDS):
        wants_help = len(words) > 1 and words[1] in ("-h", "--help")
        if len(words) > 1 and not wants_help:
            print(f"trisparse: error: {words[0]!r} has no command {words[1]!r}", file=sys.stderr)
        print(_overview(group), file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    print(f"trisparse: error: no command {words[0]!r}; choose from {', '.join(COMMANDS)}", file=sys.stderr)
    return 2
