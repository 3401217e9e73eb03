"""What lies in a store: finished, running, stopped and failed work, how large it is, and what nothing refers to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.errors import InvalidInput, MissingPart
from .artifact import MANIFEST, Artifact
from .stage import ProgressLog
from .store import Slot, Store
from .to_answer import read_records

State = Literal["finished", "running", "stopped", "failed"]
_HEX = set("0123456789abcdef")


@dataclass(frozen=True)
class Stored:
    """One artifact, or work on it."""

    stage: str
    key: str
    state: State
    bytes: int
    seconds: float | None
    """That making it took; None of what is not finished."""
    changed: float
    """Seconds since 1970 of the last sign of life."""
    about: str
    """The last line of its log, of what is not finished: the problem of what failed."""
    runs: tuple[str, ...]
    """Names of the runs that it is part of."""


def list_store(store: Store) -> tuple[Stored, ...]:
    """Everything in a store, the latest last.

    Raises:
        CorruptFile: The record of a run is damaged.
    """
    users: dict[str, list[str]] = {}
    for record in read_records(store):
        for _, key in record.parts.values():
            users.setdefault(key, []).append(record.name)
    found = [_stored(slot, tuple(users.get(slot.key, ()))) for slot in _slots(store)]
    return tuple(sorted(found, key=lambda one: one.changed))


def find_stored(store: Store, key: str) -> Slot:
    """The place of an artifact, by the beginning of its key.

    Raises:
        MissingPart: No key begins so.
        InvalidInput: Several do.
    """
    slots = [slot for slot in _slots(store) if slot.key.startswith(key)]
    if not slots:
        raise MissingPart(
            f"no artifact of {store.root} has a key that begins with {key!r}; `trisparse status` lists them"
        )
    if len(slots) > 1:
        names = ", ".join(f"{slot.stage} {slot.key[:12]}" for slot in slots[:5])
        raise InvalidInput(f"{len(slots)} keys begin with {key!r} ({names}); give more of it")
    return slots[0]


def unreferenced(store: Store) -> tuple[Slot, ...]:
    """Artifacts, and stopped work, that no run is made of, neither itself nor through the inputs of its parts; nothing that is
    being made.

    Raises:
        CorruptFile: The record of a run is damaged.
        ArtifactCorrupt: The manifest of an artifact that a run is made of is.
    """
    wanted = {key for record in read_records(store) for _, key in record.parts.values()}
    slots = {slot.key: slot for slot in _slots(store)}
    waiting = list(wanted)
    while waiting:
        slot = slots.get(waiting.pop())
        if slot is not None and slot.is_finished:
            inputs = _inputs(Artifact.open(slot.folder, slot.stage).manifest)
            waiting += [key for key in inputs if key not in wanted]
            wanted.update(inputs)
    return tuple(slot for slot in slots.values() if slot.key not in wanted and not is_held(slot))


def remove(slots: Iterable[Slot]) -> int:
    """Remove artifacts and what belongs to them, each under its lock.

    Returns:
        The bytes that this freed.

    Raises:
        StoreLocked: One is being made.
    """
    freed, slots = 0, tuple(slots)
    for slot in slots:
        with slot.lock():
            freed += _bytes(slot)
            slot.discard()
    for slot in slots:
        (slot.root / slot.stage / f"{slot.key}.lock").unlink(missing_ok=True)
    return freed


def is_held(slot: Slot) -> bool:
    """Whether a process is making it now."""
    import filelock

    path = slot.root / slot.stage / f"{slot.key}.lock"
    if not path.is_file():
        return False
    guard = filelock.FileLock(path, timeout=0)
    try:
        guard.acquire()
    except filelock.Timeout:
        return True
    guard.release()
    return False


def pictures_of(folder: Path) -> tuple[Path, ...]:
    """Images and pages in an artifact."""
    return tuple(p for p in sorted(folder.rglob("*")) if p.suffix in (".png", ".jpg", ".webp", ".mp4", ".html"))


def _slots(store: Store) -> list[Slot]:
    found: dict[tuple[str, str], Slot] = {}
    if not store.root.is_dir():
        return []
    for path in store.root.glob("[a-z]*/*"):
        key = path.name.split(".")[0]
        is_work = path.is_dir() and path.name in (key, f"{key}.partial")
        if len(key) == 64 and set(key) <= _HEX and (is_work or path.name == f"{key}.log.jsonl"):
            found[path.parent.name, key] = store.slot(path.parent.name, key)
    return [found[place] for place in sorted(found)]


def _stored(slot: Slot, runs: tuple[str, ...]) -> Stored:
    lines = ProgressLog(slot.log).read()
    last: dict[str, Any] = lines[-1] if lines else {}
    if slot.is_finished:
        manifest = _manifest(slot.folder)
        seconds = manifest.get("seconds")
        changed = (slot.folder / MANIFEST).stat().st_mtime if (slot.folder / MANIFEST).is_file() else 0.0
        return Stored(
            slot.stage,
            slot.key,
            "finished",
            _bytes(slot),
            float(seconds) if isinstance(seconds, (int, float)) else None,
            changed,
            "",
            runs,
        )
    state: State = "running" if is_held(slot) else "failed" if last.get("event") == "failed" else "stopped"
    words = " ".join(f"{name} {value}" for name, value in last.items() if name not in ("event", "time"))
    about = f"{last.get('event', '')} {words}".strip()
    when = last.get("time")
    return Stored(
        slot.stage,
        slot.key,
        state,
        _bytes(slot),
        None,
        float(when) if isinstance(when, (int, float)) else 0.0,
        about,
        runs,
    )


def _manifest(folder: Path) -> dict[str, Any]:
    """Of a listing: what is damaged is not an error here, `trisparse show` says what is wrong."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _inputs(manifest: Any) -> set[str]:
    about = manifest.get("about")
    inputs = about.get("inputs") if isinstance(about, dict) else None
    return {str(key) for key in inputs.values()} if isinstance(inputs, dict) else set()


def _bytes(slot: Slot) -> int:
    total = slot.log.stat().st_size if slot.log.is_file() else 0
    for folder in (slot.folder, slot.partial):
        if folder.is_dir():
            total += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return total
