"""The few public names of trisparse."""

from __future__ import annotations

from pathlib import Path

from .grounding import SceneGrounder


def load_grounder(weights: str | Path = "small", *, device: str = "cpu") -> SceneGrounder:
    """A network that finds in a scan what a sentence describes.

    Args:
        weights: Bundled weights by name, or a .safetensors file (of a training, or a converted published checkpoint).
        device: "cpu" or "cuda".

    Returns:
        Its ``ground(points, "the red chair", top_k=5)`` gives answers in the frame of the points; ``encode`` and ``ask`` do the
        same for many sentences about one scan.

    Raises:
        MissingPart: No such weights, or the text model is not there (see ``trisparse setup``).
        CorruptFile, DataError: The file holds something else.
    """
    return SceneGrounder.load(weights, device=device)
