"""When does a check count as failed, and when as well again?

Hysteresis: `fall` failures in a row until it has failed, `rise` successes in a row until it is well. One miss is no
failure; what says nothing of the agent (`inconclusive`, or a check that broke: `error`) counts for neither side. But a
check that breaks `fall` times in a row, or is unsure for a minute, is told as broken, for nobody watches where it was
to look. Where failures need not be in a row, `fall` of them within a time make one.
"""

from __future__ import annotations

from msgspec.structs import replace

from selfheal.detect.flapping import shifted
from selfheal.events import CheckBroke, CheckMended, HealthChanged
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord

# Who has been unsure for so long is told to be blind: a network that stays lost must not look like a quiet night.
BLIND_S = 60.0


def judge(
    record: CheckRecord, seen: Observation, fall: int, rise: int, *, local: bool = False, within_s: float = 0.0
) -> tuple[CheckRecord, HealthChanged | None]:
    """Return the record after `seen`, and the change where the check settled on the other side."""
    if seen.result == "ok" and record.settled and record.ok:  # as it is nearly always
        flips = shifted(record.flips)
        misses = record.misses
        return CheckRecord(record.check, True, True, record.streak + 1, record.since, seen, 0, 0.0, misses, flips), None
    if seen.result in ("inconclusive", "error"):
        return replace(record, last=seen), None
    record = _counted(record, seen, fall if within_s else 0, within_s)
    if record.settled is None and seen.ok:
        return replace(record, settled=True), None
    if record.settled == seen.ok or not _is_settled(record, seen, fall, rise, within_s):
        return record, None
    since = record.since if seen.ok or record.streak >= fall else record.misses[0]
    change = HealthChanged(seen.at, seen.agent, seen.check, seen.ok, seen.result, seen.reason, since, local, seen.cause)
    return replace(record, settled=seen.ok), change


def _counted(record: CheckRecord, seen: Observation, kept: int, within_s: float) -> CheckRecord:
    """The record with one more result; of the failures the latest `kept` are remembered."""
    flips = shifted(record.flips, changed=record.streak > 0 and record.ok != seen.ok)
    misses = record.misses if seen.ok or not kept else (*record.misses, seen.at)[-kept:]
    if misses and misses[0] <= seen.at - within_s:
        misses = tuple(at for at in misses if at > seen.at - within_s)
    if record.streak and record.ok == seen.ok:
        return replace(record, streak=record.streak + 1, last=seen, misses=misses, flips=flips)
    return replace(record, ok=seen.ok, streak=1, since=seen.at, last=seen, misses=misses, flips=flips)


def _is_settled(record: CheckRecord, seen: Observation, fall: int, rise: int, within_s: float) -> bool:
    """Whether it is known by now on which side the check is."""
    many = within_s > 0.0 and len(record.misses) >= fall
    if seen.ok:
        return record.streak >= rise and not many
    return record.streak >= fall or many


def judge_check(
    record: CheckRecord, seen: Observation, fall: int, *, broken: bool
) -> tuple[CheckRecord, CheckBroke | CheckMended | None]:
    """Return the record after `seen`, and whether the check itself broke or was mended. `broken` is how it stood."""
    if seen.result == "inconclusive":
        since = record.unsure_since or seen.at
        record = replace(record, unsure_since=since)
        blind = seen.at - since >= BLIND_S and not broken
        return record, CheckBroke(seen.at, seen.agent, seen.check, seen.reason, unsure=True) if blind else None
    if record.unsure_since:
        record = replace(record, unsure_since=0.0)
    if seen.result != "error":
        record = replace(record, errors=0) if record.errors else record
        return record, CheckMended(seen.at, seen.agent, seen.check) if broken else None
    record = replace(record, errors=record.errors + 1)
    if broken or record.errors < fall:
        return record, None
    return record, CheckBroke(seen.at, seen.agent, seen.check, seen.reason)
