"""The stages that pipelines are made of."""

from ... import __version__ as _
