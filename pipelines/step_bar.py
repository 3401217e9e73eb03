"""A bar for the steps of a training."""

from __future__ import annotations


class StepBar:
    """Progress with what the last step gave, and the time left.

    Args:
        label: What goes on.
        total: Steps in all.
        done: Steps that an earlier run did.
        enabled: Show it.
    """

    def __init__(self, label: str, total: int, done: int, *, enabled: bool = True) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn(label),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, disable=not enabled)
        self._task = self._progress.add_task("", total=total, completed=done)

    def __enter__(self) -> StepBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, step: int, description: str) -> None:
        """Show a completed step."""
        self._progress.update(self._task, completed=step, description=description)
