"""Sparse voxels: the convolution engine and the text-guided grounding network."""

from .. import __version__ as _
