"""Radiance fields from event cameras, after Robust e-NeRF (Low and Lee, ICCV 2023)."""

from ... import __version__ as _
