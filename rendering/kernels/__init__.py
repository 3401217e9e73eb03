"""Implementations of rasterisation and of image losses; plain tensors only."""

from ... import __version__ as _
