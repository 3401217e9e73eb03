"""Radiance fields: encodings, networks, where to sample rays, and how samples add up to colours."""

from ... import __version__ as _
