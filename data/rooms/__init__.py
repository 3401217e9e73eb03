"""Procedural furnished rooms, scanned as a depth camera would."""

from ... import __version__ as _
