"""Loops over events, one module a backend; plain arrays only."""

from ... import __version__ as _
