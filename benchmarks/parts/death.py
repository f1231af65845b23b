"""What becomes of the programs when their supervisor is killed, and the same command is given two seconds later?

`kept` is how many of them still run, the very same processes; `restarted` how many were replaced by a new one,
`duplicated` how many run beside the old one, `lost` how many run no more. Where there is one small supervisor for each
program, they are killed as well in a turn of its own: the one that was started is the lesser part of those.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from functools import partial

from benchmarks.bench import SETTLE_S, Bench, attempt
from benchmarks.fleet import Fleet, Peer, is_alive
from benchmarks.parts.crash import kill_some
from benchmarks.peers import SELFHEAL, ready_s
from benchmarks.report import Findings, Goal, quantile

FLEET = 3
AWAY_S = 2.0
# circus looks every five seconds, and runit tries to get hold of a folder for four.
LOOK_AFTER_S = 9.0
MANY = 1000
ADOPTED_KILLS = 20


def death(bench: Bench) -> Findings:
    figures: dict[str, dict[str, float | None]] = {}
    for name, peer in bench.peers.items():
        found = attempt(f"death: {name}", partial(killed, bench, peer, all_of_them=False))
        if found:
            figures[name] = found
        if peer.one_for_each:
            each = attempt(f"death of each: {name}", partial(killed, bench, peer, all_of_them=True))
            figures |= {f"{name}, each": each} if each else {}
    goals: list[Goal] = []
    if bench.ours:
        size = min(MANY, max(bench.sizes))
        ours = figures[SELFHEAL.name]
        ours |= attempt(f"death over {size}: selfheal", partial(adopted, bench, SELFHEAL, size)) or {}
        goals = _goals(ours, size)
    return Findings(
        f"Supervisor killed, started again {AWAY_S:.0f} s later, over {FLEET}",
        {
            "kept": "kept",
            "restarted": "restarted",
            "duplicated": "duplicated",
            "lost": "lost",
            "adopted_ms": "adopted ms",
            "ready_s": "ready s",
            "crash_p50_ms": "then crash p50 ms",
        },
        figures,
        {"fleet": FLEET, "away_s": AWAY_S, "adopted": MANY, "adopted_kills": ADOPTED_KILLS},
        goals,
    )


def killed(bench: Bench, peer: Peer, *, all_of_them: bool) -> dict[str, float | None]:
    with bench.fleet(peer, FLEET) as fleet:
        fleet.all_up()
        before = fleet.alive
        time.sleep(SETTLE_S)
        fleet.kill_supervisors(fleet.supervisors() if all_of_them else [fleet.supervisor.pid])
        time.sleep(AWAY_S)
        fleet.start()
        time.sleep(LOOK_AFTER_S)
        return _became(fleet, before)


def _became(fleet: Fleet, before: frozenset[int]) -> dict[str, float | None]:
    fleet.stamps.drain()
    now = {pid for pid in fleet.stamps.begun if is_alive(pid)}
    kept, new, gone = len(now & before), len(now - before), len(before - now)
    return {
        "kept": kept,
        "restarted": min(new, gone),
        "duplicated": max(0, len(now) - fleet.size),
        "lost": max(0, fleet.size - len(now)),
    }


def adopted(bench: Bench, peer: Peer, size: int) -> dict[str, float | None]:
    """Of very many: how long the next daemon takes to have all of them, and to heal the crash of one of them."""
    with bench.fleet(peer, size) as fleet:
        fleet.all_up()
        ready_s(fleet)
        before = fleet.alive
        fleet.kill_supervisors([fleet.supervisor.pid])
        log_from = fleet.log.stat().st_size
        fleet.start()
        ready = ready_s(fleet)
        took_ms = _adopting_ms(fleet, log_from)
        time.sleep(SETTLE_S)
        crashes = kill_some(fleet, min(ADOPTED_KILLS, size))
        untouched = before & fleet.alive
        became = _became(fleet, untouched)
        return {
            "adopted": size,
            "adopted_kept": became["kept"],
            "adopted_of": len(untouched),
            "adopted_ms": took_ms,
            "ready_s": ready,
            "crash_p50_ms": quantile(crashes, 0.5) * 1e3,
            "crash_max_ms": max(crashes) * 1e3,
        }


def _adopting_ms(fleet: Fleet, log_from: int) -> float:
    """From the daemon's own log: its beginning, after what it has imported, until the last was adopted."""
    with fleet.log.open("rb") as log:
        log.seek(log_from)
        said = [json.loads(line) for line in log if line.startswith(b"{")]
    began = next(one["timestamp"] for one in said if one["event"] == "daemon.started")
    adopted_at = [one["timestamp"] for one in said if one["event"] == "agent.started" and one["reason"] == "adopted"]
    if len(adopted_at) < fleet.size:
        raise RuntimeError(f"cannot measure: {len(adopted_at)} of {fleet.size} were adopted")
    return (datetime.fromisoformat(max(adopted_at)) - datetime.fromisoformat(began)).total_seconds() * 1e3


def _goals(ours: dict[str, float | None], size: int) -> list[Goal]:
    promised = [("restarted", "agents restarted"), ("duplicated", "agents run twice"), ("lost", "agents lost")]
    found = [Goal(f"daemon killed, {what}", ours[key] or 0.0, 0.0, "agents") for key, what in promised]
    kept, of, took, crash = (ours.get(key) for key in ("adopted_kept", "adopted_of", "adopted_ms", "crash_p50_ms"))
    if kept is not None and of is not None:
        found.append(Goal(f"daemon over {size} killed, agents not kept", of - kept, 0.0, "agents"))
    if size == MANY and took is not None and crash is not None:
        found.append(Goal(f"{size} adopted", took, 200.0, "ms"))
        found.append(Goal("crash of an adopted agent to running, p50", crash, 3.0, "ms"))
    return found
