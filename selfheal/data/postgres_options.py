"""What may be wanted of a PostgreSQL database that is watched?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Amcheck = Literal["if_installed", "never"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and the canaries of one database. Each is explained where it is written, in the agent's kind."""

    canaries: Mapping[str, str] = {}
    max_drop: float = 0.5
    max_lock_s: float = 300.0
    max_replication_lag_s: float | None = None
    max_transaction_age: float = 1.5e9
    max_connections_share: float | None = None
    max_read: int = 10_000_000_000
    require_checksums: bool = False
    amcheck: Amcheck = "if_installed"
    timeout_s: float = 60.0
    thorough_s: float = 7200.0
