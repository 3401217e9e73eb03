"""Depth of photos from learned models that somebody else trained and packaged."""

from ... import __version__ as _
