"""Readers and writers of file formats."""

from ... import __version__ as _
