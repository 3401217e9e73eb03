"""Implementations of encodings, networks, marching and compositing; plain tensors only."""

from .... import __version__ as _
