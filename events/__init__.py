"""Sparse events: radiance fields from event cameras."""

from .. import __version__ as _
