"""Composes the domains: stages, training, the command line."""

from .. import __version__ as _
