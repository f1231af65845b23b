"""Which kinds of data are there? One file a kind, one line here, and its configuration in `agents`."""

from __future__ import annotations

from selfheal.data.asset import Asset
from selfheal.data.files import FilesAsset
from selfheal.data.jsondata import JsonAsset
from selfheal.data.postgres import PostgresAsset
from selfheal.data.sqlite import SqliteAsset

ASSETS: tuple[type[Asset], ...] = (SqliteAsset, JsonAsset, FilesAsset, PostgresAsset)
"""Each a struct with a tag of its own, which is the name of the kind."""
