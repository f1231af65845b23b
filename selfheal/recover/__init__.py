"""What can be done to an agent? The built-in fixes: a file each, those of data together, and one line each here."""

from collections.abc import Iterable, Mapping

from selfheal.kinds import Fix
from selfheal.recover.back_up import BACK_UP
from selfheal.recover.clean_restart import CLEAN_RESTART
from selfheal.recover.data import CHECKPOINT_WAL, RESTORE_BACKUP, RESTORE_DATABASE, SALVAGE_DATA, TRUNCATE_TAIL
from selfheal.recover.failover import FAILOVER
from selfheal.recover.free_disk import FREE_DISK
from selfheal.recover.free_port import FREE_PORT
from selfheal.recover.limits import RAISE_LIMIT
from selfheal.recover.quarantine import QUARANTINE
from selfheal.recover.reload import RELOAD
from selfheal.recover.render import RENDER_FIXES
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.recover.roll_back import ROLL_BACK
from selfheal.recover.scale_up import SCALE_UP
from selfheal.recover.shed_load import SHED_LOAD
from selfheal.recover.spare import REPLACE_BY_SPARE

FIXES: tuple[Fix, ...] = (
    RESTART, RESTART_WITH_DEPENDENTS, REPLACE_BY_SPARE, RELOAD, CLEAN_RESTART, ROLL_BACK, RAISE_LIMIT,
    FREE_PORT, FREE_DISK, SCALE_UP, SHED_LOAD, FAILOVER, QUARANTINE,
    CHECKPOINT_WAL, TRUNCATE_TAIL, SALVAGE_DATA, RESTORE_BACKUP, RESTORE_DATABASE,
    *RENDER_FIXES,
)  # fmt: skip
# What heals nothing, and is done along with planned work alone.
AHEAD: tuple[Fix, ...] = (BACK_UP,)


def helping(fixes: Iterable[Fix]) -> Mapping[str, tuple[str, ...]]:
    """By cause, the names of the fixes that are meant for it, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for fix in fixes:
        for cause in fix.causes:
            found[cause] = (*found.get(cause, ()), fix.name)
    return found


def told_against(fixes: Iterable[Fix]) -> Mapping[str, tuple[str, ...]]:
    """By cause, the names of the fixes that have to be told something about an agent before they may be tried."""
    found: dict[str, tuple[str, ...]] = {}
    for fix in fixes:
        for cause in sorted(fix.causes) if fix.settings is not None else ():
            found[cause] = (*found.get(cause, ()), fix.name)
    return found
