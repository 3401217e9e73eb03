"""trisparse: sparse 3D from voxels, events and views.

Three kinds of sparsity, one scene: find the object that a sentence describes in a 3D scan, reconstruct a radiance field from
an event camera, render new views from a few photos. The command is ``trisparse``; from Python start with
``trisparse.load_grounder()`` or ``trisparse.fit_views()``.
"""

from typing import Any

__version__ = "0.1.0"

_PUBLIC = {"load_grounder": "trisparse.pipelines.api", "fit_views": "trisparse.pipelines.splat_scene"}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'trisparse' has no attribute {name!r}")
