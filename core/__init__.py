"""Errors, backend choice, array checks and seeding: what every other folder stands on."""

from .. import __version__ as _
