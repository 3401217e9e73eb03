"""Containers, geometry, readers and writers; no networks, no kernels."""

from .. import __version__ as _
