"""Every error that trisparse raises on purpose.

Each also derives from a builtin, so that callers who know nothing of trisparse can catch it. Messages say what was wrong, what
came, what was expected and what to do.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path


class TrisparseError(Exception):
    """Base of all errors that trisparse raises on purpose."""


class InvalidInput(TrisparseError, ValueError):
    """An argument is not what the function takes."""


class ShapeMismatch(InvalidInput):
    """Tensors whose shapes should agree do not."""


class GridMismatch(InvalidInput):
    """An operation on one voxel grid got tensors on two."""


class NotFinite(InvalidInput):
    """A number is NaN or infinite where only finite ones make sense."""


class DataError(TrisparseError, ValueError):
    """A file does not hold what it should.

    Messages quote what strangers wrote; line ends and control characters in them are shown as escapes, so that a message is one
    line and a terminal does nothing but print it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class MissingPart(DataError):
    """A file, or a part of one, that is needed is not there."""


class CorruptFile(DataError):
    """A file is truncated or contradicts itself.

    Args:
        path: The file.
        where: The place in it ("header line 4", "byte 1200", "face 7").
        problem: What was found there, what was expected and what to do.
    """

    def __init__(self, path: str | PathLike[str], where: str, problem: str) -> None:
        super().__init__(f"{path}: {where}: {problem}")
        self.path = Path(path)
        self.where = where
        self._problem = problem

    def __reduce__(self) -> tuple[type[CorruptFile], tuple[Path, str, str]]:  # from worker processes it comes pickled
        return type(self), (self.path, self.where, self._problem)


class UnknownFormat(DataError):
    """A file is of no format that is read here."""


class UnsafeFile(DataError):
    """A file asks to run code or names objects outside the allow-list."""


class BackendError(TrisparseError, RuntimeError):
    """An implementation cannot be used."""


class BackendUnavailable(BackendError):
    """A backend asked for by name is not usable here."""


class PipelineError(TrisparseError, RuntimeError):
    """A staged run cannot go on."""


class StageFailed(PipelineError):
    """A stage stopped with an error.

    Args:
        label: The stage's label in its pipeline.
        key: The key of the artifact that it should have made.
        problem: What happened.
    """

    def __init__(self, label: str, key: str, problem: str) -> None:
        super().__init__(f"stage {label!r} ({key[:12]}) failed: {problem}")
        self.label = label
        self.key = key
        self._problem = problem

    def __reduce__(self) -> tuple[type[StageFailed], tuple[str, str, str]]:
        return type(self), (self.label, self.key, self._problem)


class ArtifactCorrupt(PipelineError):
    """A stored artifact does not match its manifest."""


class StoreLocked(PipelineError):
    """Another process is making the same artifact."""
