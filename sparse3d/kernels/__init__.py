"""Implementations of the sparse-voxel operations, one module a backend."""

from ... import __version__ as _
