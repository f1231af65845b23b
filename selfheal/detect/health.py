"""When does a check count as failed, and when as well again?

Hysteresis: `fall` failures in a row until it has failed, `rise` successes in a row until it is well. One miss is no
failure; what says nothing of the agent (`inconclusive`, or a check that broke: `error`) counts for neither side. But a
check that breaks `fall` times in a row, or is unsure for a minute, is told as broken, for nobody watches where it was
to look.
"""

from __future__ import annotations

from msgspec.structs import replace

from selfheal.events import CheckBroke, CheckMended, HealthChanged
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord

# Who has been unsure for so long is told to be blind: a network that stays lost must not look like a quiet night.
BLIND_S = 60.0


def judge(
    record: CheckRecord, seen: Observation, fall: int, rise: int, *, local: bool = False
) -> tuple[CheckRecord, HealthChanged | None]:
    """Return the record after `seen`, and the change where the check settled on the other side."""
    if seen.result == "ok" and record.settled and record.ok:  # as it is nearly always
        return CheckRecord(record.check, True, True, record.streak + 1, record.since, seen, record.errors), None
    if seen.result in ("inconclusive", "error"):
        return replace(record, last=seen), None
    if record.streak and record.ok == seen.ok:
        record = replace(record, streak=record.streak + 1, last=seen)
    else:
        record = replace(record, ok=seen.ok, streak=1, since=seen.at, last=seen)
    if record.settled is None and seen.ok:
        return replace(record, settled=True), None
    needed = rise if seen.ok else fall
    if record.settled == seen.ok or record.streak < needed:
        return record, None
    change = HealthChanged(
        seen.at, seen.agent, seen.check, seen.ok, seen.result, seen.reason, record.since, local, seen.cause
    )
    return replace(record, settled=seen.ok), change


def judge_check(
    record: CheckRecord, seen: Observation, fall: int, *, broken: bool
) -> tuple[CheckRecord, CheckBroke | CheckMended | None]:
    """Return the record after `seen`, and whether the check itself broke or was mended. `broken` is how it stood."""
    if seen.result == "inconclusive":
        since = record.unsure_since or seen.at
        record = replace(record, unsure_since=since)
        blind = seen.at - since >= BLIND_S and not broken
        return record, CheckBroke(seen.at, seen.agent, seen.check, seen.reason) if blind else None
    if record.unsure_since:
        record = replace(record, unsure_since=0.0)
    if seen.result != "error":
        record = replace(record, errors=0) if record.errors else record
        return record, CheckMended(seen.at, seen.agent, seen.check) if broken else None
    record = replace(record, errors=record.errors + 1)
    if broken or record.errors < fall:
        return record, None
    return record, CheckBroke(seen.at, seen.agent, seen.check, seen.reason)
