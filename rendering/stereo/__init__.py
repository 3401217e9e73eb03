"""Depth from a few posed photos: what plane sweeping is made of."""

from ... import __version__ as _
