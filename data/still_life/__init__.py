"""Small textured, shaded scenes from seeds, and exact photos of them from any camera."""

from ... import __version__ as _
