"""Sparse views: radiance fields, Gaussians and their rasterisation."""

from .. import __version__ as _
