"""``trisparse evaluate events``."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import InvalidInput, MissingPart
from .field_training import FieldCommand, learned

if TYPE_CHECKING:
    from ...data.posed_images import PosedImages
    from ..event_nerf.report import ScoredField


@dataclass(frozen=True)
class EvaluateEvents(FieldCommand):
    """Measure how near reconstructions from events come to photos.

    A field is learned with each seed, or taken from --runs where it is there already, and rendered where photos were taken that
    it has not seen: those of --photos, or beside the events. Brightness is known only up to scale and offset of its logarithm,
    one each for a channel, which are fitted over all views together; then PSNR, SSIM, and LPIPS where its weights are on this
    machine, without and with clamping, as Robust e-NeRF has them.

    Writes results.jsonl (a line a view and seed), report.json, and report.html (photo, render, difference and depth of every
    view). The same command goes on where it was stopped.
    """

    seeds: tuple[int, ...] = (0,)
    """Of everything random; one training each."""
    out: Path | None = None
    """Folder for the results; runs/evaluate-events/<name> by default."""
    page: bool = True
    """Write report.html."""

    def run(self) -> None:
        from rich.console import Console

        from ...core.files import write_text
        from ..event_nerf.report import lines, mean_table, summary, write_events_page

        say = Console(stderr=True, quiet=self.json)
        name = self.recording.resolve().stem
        out = Path("runs/evaluate-events") / name if self.out is None else self.out
        if out.exists() and not out.is_dir():
            raise InvalidInput(f"--out {out}: a file is there already; name a folder")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InvalidInput(f"seeds {self.seeds}; expected at least one, each once")
        photos = self.comparison()
        if photos is None:
            raise MissingPart(
                f"{self.recording}: no photos to compare with; name some that have cameras in the same world (--photos)"
            )
        with say.status(f"reading {self.recording}"):
            self.check(self.stage(0).posed())
        scored, notes, about_lpips = self._scores(photos)
        facts = {
            "recording": name,
            "photos": str(len(photos)),
            "preset": f"{self.preset}, {self.config(0).optimiser.steps} steps",
            "seeds": ", ".join(map(str, self.seeds)),
            "LPIPS": about_lpips,
        }
        means = {key: None if one is None else asdict(one) for key, one in summary(scored).items()}
        sensors = [
            {"seed": one.seed, "threshold_ratio": one.threshold_ratio, "refractory_period_ns": one.refractory_period_ns}
            for one in scored
        ]
        report = {**facts, "photos": len(photos), "seeds": list(self.seeds), "means": means, "sensors": sensors}
        report["notes"] = [*notes, *photos.warnings]
        write_text(out / "results.jsonl", "".join(json_format.dumps(x) + "\n" for x in lines(name, photos, scored)))
        write_text(out / "report.json", json_format.dumps(report, indent=1) + "\n")
        if self.page:
            write_events_page(out / "report.html", name, photos, scored, facts, report["notes"])
        if self.json:
            print(json_format.dumps(report, ensure_ascii=False))
            return
        for note in report["notes"]:
            say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
        head, rows = mean_table(scored)
        for row in (head, ["---"] * len(head), *rows):
            print(f"| {' | '.join(row)} |")
        print(f"LPIPS: {about_lpips}")
        print(f"a line a view, report.json{', and report.html to look at' if self.page else ''}: {out}")

    def _scores(self, photos: PosedImages) -> tuple[list[ScoredField], list[str], str]:
        from ...rendering.lpips import Lpips, why_no_lpips
        from ..event_nerf.report import score
        from ..event_nerf.views import evaluate_views

        why = "photos of less than 32 pixels" if min(photos.cameras.width, photos.cameras.height) < _LEAST else None
        why = why or why_no_lpips("vgg")
        lpips = Lpips.load("vgg") if why is None else None
        scored, notes = [], []
        for seed in self.seeds:
            model, kept = learned(self.stage(seed), self.runs)
            about = json_format.loads((kept / "about.json").read_text(encoding="utf-8"))
            notes += about["notes"]
            views = evaluate_views(model, photos, lpips=lpips)
            scored.append(score(views, seed, about["threshold_ratio"], about["refractory_period_ns"]))
        return scored, list(dict.fromkeys(notes)), "VGG" if why is None else f"n/a: {why}"


_LEAST = 32
"""Pixels a side of images that LPIPS takes."""
