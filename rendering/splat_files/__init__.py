"""Files of Gaussian splats: PLY, .splat and SPZ."""

from ... import __version__ as _
