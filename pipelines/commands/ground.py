"""``trisparse ground``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from ..grounding import Grounded, GroundedScene


@dataclass(frozen=True)
class Ground:
    """Find in a scan what a sentence describes.

    Prints a table of boxes (metres, in the scan's own axes), and writes a picture and the answer's points for each sentence,
    and answers.json for all of them.
    """

    scan: tyro.conf.Positional[Path]
    """Scan: .ply .pcd .glb .obj .npz .xyz .splat .spz, or a ScanNet scene folder. Units, up-axis and floor are found."""
    sentence: tyro.conf.Positional[tuple[str, ...]] = ()
    """What to find, one or several, each in quotation marks: "the chair by the window"."""
    sentences: Path | None = None
    """File with more sentences, one a line."""
    out: Path | None = None
    """Folder for the results; runs/ground/<scan> by default."""
    top_k: int = 5
    """Boxes a sentence at most, best first."""
    up: Literal["auto", "x", "y", "z", "-x", "-y", "-z"] = "auto"
    """The file's axis that points up."""
    scale: Annotated[str, tyro.conf.arg(metavar="auto|METRES")] = "auto"
    """Metres per unit of the file: 1 for metres, 0.001 for millimetres."""
    align: bool = True
    """Find up, floor and walls; --no-align for a scan in metres, z up, floor at 0."""
    weights: str = "small"
    """Bundled weights by name, or a .safetensors file."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for the GPU where there is one."""
    picture: bool = True
    """Write pictures; --no-picture to save their time."""
    json: bool = False
    """Print the answers as JSON and nothing else."""

    def run(self) -> None:
        from rich.console import Console

        from ...data.answers import write_answers
        from ..grounding import SceneGrounder
        from . import devices

        folder = self._folder()
        wanted = self._sentences()
        scale = self._scale()
        say = Console(quiet=self.json)
        with say.status("loading the network"):
            grounder = SceneGrounder.load(self.weights, device=devices.choose(self.device))
        with say.status(f"reading and encoding {self.scan}"):
            scene = grounder.encode(self.scan, up=self.up, scale=scale, align=self.align)
        say.print(scene.alignment.report, highlight=False, soft_wrap=True)
        with say.status("looking"):
            grounded = grounder.ask(scene, wanted, top_k=self.top_k)
        self._write_parts(folder, scene, grounded, wanted)
        write_answers(folder / "answers.json", grounded.sheet)
        if self.json:
            print(json.dumps(grounded.sheet.to_dict(), ensure_ascii=False))
            return
        print_answers(grounded, wanted)
        say.print(f"pictures, points and answers.json: {folder}", highlight=False, soft_wrap=True)

    def _sentences(self) -> list[str]:
        from ...core.errors import InvalidInput, MissingPart

        wanted = list(self.sentence)
        if self.sentences is not None:
            if not self.sentences.is_file():
                raise MissingPart(f"{self.sentences}: no such file; expected sentences, one a line")
            try:
                lines = self.sentences.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError as error:
                raise InvalidInput(f"{self.sentences}: not UTF-8 text ({error}); save it as UTF-8") from error
            wanted += [line.strip() for line in lines if line.strip()]
        if not wanted:
            raise InvalidInput(
                'nothing to find: give a sentence, for example "the chair by the window", or --sentences FILE'
            )
        return list(dict.fromkeys(wanted))

    def _folder(self) -> Path:
        from ...core.errors import InvalidInput

        if self.top_k < 1:
            raise InvalidInput(f"--top-k must be at least 1, got {self.top_k}")
        folder = Path("runs/ground") / self.scan.resolve().stem if self.out is None else self.out
        if folder.exists() and not folder.is_dir():
            raise InvalidInput(f"--out {folder}: a file is there already; name a folder")
        return folder

    def _scale(self) -> Literal["auto"] | float:
        from ...core.errors import InvalidInput

        if self.scale == "auto":
            return "auto"
        try:
            return float(self.scale)
        except ValueError as error:
            raise InvalidInput(f"--scale must be metres per unit or auto, got {self.scale!r}") from error

    def _write_parts(self, folder: Path, scene: GroundedScene, grounded: Grounded, wanted: list[str]) -> None:
        from rich.progress import track

        from ...data.readers.ply import write_ply
        from ...data.readers.scannet import cloud_columns
        from ..grounding import inside
        from ..pictures import draw_answers

        remove_answers(folder, above=len(wanted))
        answers = list(zip(wanted, grounded.boxes, strict=True))
        for number, (sentence, boxes) in enumerate(track(answers, "drawing", disable=self.json, transient=True), 1):
            stem = folder / f"answer-{number}"
            if self.picture:
                scores = [a.score for a in grounded.sheet.answers if a.sentence == sentence][: len(boxes)]
                labels = [f"{score:.2f}" for score in scores]
                draw_answers(scene.alignment.cloud, boxes, sentence, stem.with_suffix(".png"), labels=labels)
            part = scene.source.select(inside(scene.alignment.cloud, boxes))
            write_ply(stem.with_suffix(".ply"), {"vertex": cloud_columns(part)})


def remove_answers(folder: Path, *, above: int) -> None:
    """Remove pictures and points of an earlier call that had more sentences."""
    for path in (*folder.glob("answer-*.png"), *folder.glob("answer-*.ply")):
        number = path.stem.removeprefix("answer-")
        if number.isdigit() and int(number) > above:
            path.unlink()


def print_answers(grounded: Grounded, wanted: list[str]) -> None:
    """A table for each sentence, then what the user should know."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for sentence in dict.fromkeys(wanted):
        table = Table(title=Text(sentence), title_justify="left")
        for name in ("rank", "score", "centre x y z (m)", "size x y z (m)"):
            table.add_column(name, justify="right")
        for answer in grounded.sheet.answers:
            if answer.sentence == sentence:
                center, size = (" ".join(f"{v:.2f}" for v in values) for values in (answer.center, answer.size))
                table.add_row(str(answer.rank), f"{answer.score:.2f}", center, size)
        console.print(table)
    for warning in grounded.sheet.warnings:
        console.print(f"note: {warning}", highlight=False, soft_wrap=True, markup=False)
