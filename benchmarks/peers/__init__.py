"""Which supervisors are measured, and how are they told what to run?

One file each: a function that writes a configuration and returns a command, and where it can be told to stop its
programs, another that returns the command for that. The settings are those that somebody would choose who wants a
program back whenever it dies; each departure from a default says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from benchmarks.fleet import Peer
from benchmarks.peers.circus import CIRCUS
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.pm2 import PM2
from benchmarks.peers.scanned import RUNIT, S6
from benchmarks.peers.selfheal import SELFHEAL, ready_s
from benchmarks.peers.supervice import SUPERVICE
from benchmarks.peers.supervisord import SUPERVISORD

# In the order of the tables.
PEERS = (SELFHEAL, SUPERVISORD, CIRCUS, SUPERVICE, PM2, RUNIT, S6, FLOOR)


def peers(wanted: Collection[str] = ()) -> Mapping[str, Peer]:
    """What can be measured here, by name; of those that are `wanted`, where any is named. The floor is always there."""
    asked = [peer for peer in PEERS if not wanted or peer.name in wanted or peer is FLOOR]
    for peer in asked:
        if not peer.there:
            print(f"{peer.name} is left out: {peer.comes_by} brings it.", flush=True)
    return {peer.name: peer for peer in asked if peer.there}


__all__ = ["CIRCUS", "FLOOR", "PEERS", "PM2", "RUNIT", "S6", "SELFHEAL", "SUPERVICE", "SUPERVISORD", "peers", "ready_s"]
