"""Which kinds of data are there? One file a kind, one line here, and its configuration in `agents`."""

from __future__ import annotations

from selfheal.data.asset import Asset

ASSETS: tuple[type[Asset], ...] = ()
"""Each a struct with a tag of its own, which is the name of the kind."""
