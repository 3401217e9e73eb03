"""Which photos of a folder are learned from and which are compared with: by a published rule, by number or by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import torch

from ..core.errors import InvalidInput
from ..data.camera_paths import focus_of
from ..data.cameras import Cameras
from ..data.posed_images import PosedImages
from ..data.readers.blender import read_blender
from ..data.readers.photos import read_photos
from ..data.views import BLENDER_TRAIN, ViewSplit, split_arc, split_blender, split_dtu, split_llff, split_tanks

_ARC = 90.0
"""Degrees, of the rule "arc"."""


@dataclass(frozen=True)
class SplitOptions:
    """What was asked for."""

    rule: str | None = None
    """A name of `RULES`; that of LLFF where nothing else says which photos are meant."""
    train: tuple[str, ...] = ()
    """One whole number: how many photos the rule takes. Otherwise the photos themselves, numbers from 0 or names."""
    test: tuple[str, ...] = ()
    """Photos by number or name, instead of the rule's; all that are not learned from where there is no rule."""
    every: int = 8
    """For "every-nth": of how many photos one is tested."""

    def __post_init__(self) -> None:
        if self.rule is not None and self.rule not in RULES:
            raise InvalidInput(f"no split {self.rule!r}; choose from {', '.join(RULES)}")
        if self.every < 2:
            raise InvalidInput(f"every {self.every}: one of so many photos is tested; give at least 2")

    @property
    def count(self) -> int | None:
        """How many photos the rule is to take; None for what it takes by itself."""
        return int(self.train[0]) if len(self.train) == 1 and _is_number(self.train[0]) else None

    @property
    def background(self) -> tuple[float, float, float] | None:
        """Colour that the protocol says is behind everything, 0..1."""
        return (1.0, 1.0, 1.0) if self.rule == "blender" else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self.rule is None and not self.train and not self.test


@dataclass(frozen=True, eq=False)
class SplitPhotos:
    """Photos, and what each is for."""

    photos: PosedImages
    split: ViewSplit
    rule: str
    """How they were chosen, in words."""


@dataclass(frozen=True)
class _Rule:
    title: str
    split: Callable[[PosedImages, int | None, int], ViewSplit]
    """From the photos, how many to train on, and `SplitOptions.every`."""
    views: int | None = None
    """Taken where no number is given; None for all that are not tested."""


def _dtu(photos: PosedImages, k: int | None, _: int) -> ViewSplit:
    return split_dtu(len(photos), k or 0)


def _tanks(photos: PosedImages, k: int | None, _: int) -> ViewSplit:
    return split_tanks(len(photos), k or 0)


def _around(photos: PosedImages, k: int | None, _: int) -> ViewSplit:
    return split_arc(photos.cameras.centers, focus_of(photos.cameras), _ARC, k or 0)


def _blender(photos: PosedImages, k: int | None, _: int) -> ViewSplit:
    n_train = sum(name.startswith(_FRAMES[0]) for name in photos.names)
    if k != len(BLENDER_TRAIN):
        raise InvalidInput(f"{k} photos to train on; the Blender split has {len(BLENDER_TRAIN)}: leave --train out")
    return split_blender(n_train, len(photos) - n_train)


RULES = {
    "llff": _Rule("LLFF (every 8th is tested)", lambda photos, k, _: split_llff(len(photos), k)),
    "mipnerf360": _Rule("Mip-NeRF 360 (every 8th is tested)", lambda photos, k, _: split_llff(len(photos), k), 12),
    "every-nth": _Rule("every nth is tested", lambda photos, k, every: split_llff(len(photos), k, every=every), None),
    "dtu": _Rule("DTU", _dtu, 3),
    "blender": _Rule("Blender, 8 views", _blender, len(BLENDER_TRAIN)),
    "tanks": _Rule("Tanks and Temples, as InstantSplat uses it", _tanks, 3),
    "arc": _Rule(f"an arc of {_ARC:g} degrees", _around, 3),
}
"""Rules by name, for commands."""
_FRAMES = ("train/", "test/")
"""What names of a Blender scene begin with here."""


def read_split(path: str | PathLike[str], options: SplitOptions, *, needs_train: bool = True) -> SplitPhotos:
    """Read photos with cameras and divide them.

    Args:
        path: Folder or file that ``read_photos`` reads; for "blender" the folder of ``transforms_train.json``.
        options: How.
        needs_train: Something is learned. Otherwise, where nothing is asked for, all photos are tested.

    Raises:
        InvalidInput: The photos do not allow the split, a number or name means no photo, or no photo is left to train or test.
        DataError, MissingPart, CorruptFile: See the readers.
    """
    photos = _joined(path) if options.rule == "blender" else read_photos(path)
    if options.is_empty and not needs_train:
        return SplitPhotos(photos, ViewSplit((), tuple(range(len(photos)))), "all photos")
    split, rule = _choose(photos, options)
    if not split.test:
        raise InvalidInput(
            f"no photo is left to test: all {len(photos)} are trained on; train on fewer (--train 3), or name some with --test"
        )
    if needs_train and len(split.train) < 2:
        raise InvalidInput(
            f"{len(split.train)} photos to train on ({rule}; there are {len(photos)}); give at least 2: one tells no depth"
        )
    return SplitPhotos(_with_note_of_order(photos, options), split, rule)


def _with_note_of_order(photos: PosedImages, options: SplitOptions) -> PosedImages:
    """Published rules count photos sorted by name; a file may list them otherwise."""
    if options.rule in (None, "blender", "arc") or list(photos.names) == sorted(photos.names):
        return photos
    note = f"photos are counted in their file's order, which is not that of their names, as {options.rule} is published for"
    return replace(photos, warnings=(*photos.warnings, note))


def _choose(photos: PosedImages, options: SplitOptions) -> tuple[ViewSplit, str]:
    named_test = tuple(find_photo(photos, word, "--test") for word in options.test)
    _refuse_twice(photos, named_test, "--test")
    is_named = bool(options.train) and options.count is None
    if is_named and options.rule is not None:
        raise InvalidInput(
            f"both --split {options.rule} and photos to train on are given; give --split with one number, or neither"
        )
    if is_named or (options.rule is None and not options.train and named_test):
        train = tuple(find_photo(photos, word, "--train") for word in options.train)
        _refuse_twice(photos, train, "--train")
        train = train or _others(photos, named_test)
        return ViewSplit(train, named_test or _others(photos, train)), "photos by number or name"
    rule = RULES[options.rule or "llff"]
    if options.count == 0:
        raise InvalidInput("--train 0: no photo to train on; give a number above 0")
    split = rule.split(photos, rule.views if options.count is None else options.count, options.every)
    title = rule.title.replace("nth", f"{options.every}th")
    return (replace(split, test=named_test), f"{title}; tested by name") if named_test else (split, title)


def find_photo(photos: PosedImages, word: str, option: str) -> int:
    """The place of the photo that a word means: a number from 0, or a name, with or without its folder and suffix.

    Args:
        photos: All of them.
        word: What was typed.
        option: Where, for messages.

    Raises:
        InvalidInput: None is meant, or several.
    """
    n = len(photos)
    if _is_number(word):
        if int(word) < n:
            return int(word)
        raise InvalidInput(f"{option} names photo {word}; there are {n}, numbered from 0")
    for name_of in (str, lambda name: Path(name).name, lambda name: Path(name).stem):
        found = [row for row, name in enumerate(photos.names) if name_of(name) == word]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(photos.names[row] for row in found[:3])
            raise InvalidInput(
                f"{option} names photo {word!r}, which may be {several}; give the whole name or a number"
            )
    some = ", ".join(photos.names[:3])
    raise InvalidInput(f"{option} names photo {word!r}; there is none among the {n}: {some}{' ...' if n > 3 else ''}")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and str(int(word)) == word


def _others(photos: PosedImages, rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(row for row in range(len(photos)) if row not in rows)


def _refuse_twice(photos: PosedImages, rows: Sequence[int], option: str) -> None:
    twice = [photos.names[row] for row, count in Counter(rows).items() if count > 1]
    if twice:
        raise InvalidInput(f"{option} names photo {twice[0]} twice; give each once")


def _joined(path: str | PathLike[str]) -> PosedImages:
    """Training and test frames of a Blender scene, one after the other."""
    train, test = (read_blender(path, split) for split in ("train", "test"))
    a, b = train.cameras, test.cameras
    if (a.width, a.height, a.model) != (b.width, b.height, b.model):
        raise InvalidInput(
            f"{path}: training frames have {a.width} x {a.height} pixels, test frames {b.width} x {b.height}; expected one size"
        )
    cameras = Cameras(
        torch.cat([a.camera_from_world, b.camera_from_world]),
        torch.cat([a.K, b.K]),
        a.width,
        a.height,
        a.model,
        torch.cat([a.distortion, b.distortion]),
    )
    names = (
        *(_FRAMES[0] + Path(name).name for name in train.names),
        *(_FRAMES[1] + Path(name).name for name in test.names),
    )
    return PosedImages(cameras, names, (*train.loads, *test.loads), warnings=(*train.warnings, *test.warnings))
