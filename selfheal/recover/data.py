"""The fixes of the data layer: small repairs in place, what can be salvaged, and the newest backup.

Whoever writes the data is stopped first and started again at last. What was there is always kept aside.
"""

from __future__ import annotations

from selfheal.kinds import Act, Apply, Fix, Hands, Target

# Of a process that is gone an hour's data may be gone with an old backup: what can be salvaged is tried first.
BACKUP_RISK_S = 60.0


async def _hold(hands: Hands, target: Target) -> str:
    return await hands.hold_writers(target.agent)


async def _release(hands: Hands, target: Target) -> str:
    return await hands.release_writers(target.agent)


async def _swap(hands: Hands, target: Target) -> str:
    return await hands.swap_data(target.agent, target.incident, "selfheal")


def _mend(how: str) -> Apply:
    async def mend(hands: Hands, target: Target) -> str:
        return await hands.mend_data(target.agent, how)

    return mend


def _prepare(source: str) -> Apply:
    async def prepare(hands: Hands, target: Target) -> str:
        return await hands.prepare_data(target.agent, source, target.incident)

    return prepare


HOLD, RELEASE = Act("stop the writers", _hold), Act("start the writers", _release)
SWAP = Act("put the sound data in place", _swap)
_FROM_BACKUP = Act("restore the newest backup beside the data", _prepare("newest"))

# The costs are what 100 MB take; the deadlines leave room for a thousand times as much.
CHECKPOINT_WAL = Fix(
    name="checkpoint_wal",
    layer="data",
    causes=frozenset({"wal_grown"}),
    cost_s=2.0,
    risk_s=0.0,
    timeout_s=600.0,
    acts=(Act("checkpoint", _mend("checkpoint_wal")),),
    only_its_causes=True,
)

TRUNCATE_TAIL = Fix(
    name="truncate_tail",
    layer="data",
    causes=frozenset({"torn_tail"}),
    cost_s=2.0,
    risk_s=0.0,
    timeout_s=600.0,
    tier=2,
    acts=(HOLD, Act("cut the damaged tail off", _mend("truncate_tail"))),
    only_its_causes=True,
    at_last=RELEASE,
)

SALVAGE_DATA = Fix(
    name="salvage_data",
    layer="data",
    causes=frozenset({"corrupted", "torn_tail"}),
    cost_s=10.0,
    risk_s=0.0,
    timeout_s=7200.0,
    tier=2,
    acts=(HOLD, Act("salvage what can still be read", _prepare("salvage")), SWAP),
    only_its_causes=True,
    at_last=RELEASE,
)

RESTORE_BACKUP = Fix(
    name="restore_backup",
    layer="data",
    causes=frozenset({"corrupted", "missing_data", "schema_broken", "torn_tail"}),
    cost_s=10.0,
    risk_s=BACKUP_RISK_S,
    timeout_s=7200.0,
    tier=3,
    acts=(HOLD, _FROM_BACKUP, SWAP),
    only_its_causes=True,
    at_last=RELEASE,
)

# A database that others reach over the network is exchanged only when a person says so; all is ready by then.
RESTORE_DATABASE = Fix(
    name="restore_database",
    layer="data",
    causes=frozenset({"corrupted", "missing_data"}),
    cost_s=30.0,
    risk_s=BACKUP_RISK_S,
    timeout_s=7200.0,
    tier=3,
    acts=(_FROM_BACKUP, Act("stop the writers", _hold, approval=True), SWAP),
    only_its_causes=True,
    at_last=RELEASE,
)
