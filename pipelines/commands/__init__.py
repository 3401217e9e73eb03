"""One module a command of the trisparse program."""

from ... import __version__ as _
