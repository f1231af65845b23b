"""What can be done to an agent? The built-in fixes: a file each, those of data together, and one line each here."""

from selfheal.kinds import Fix
from selfheal.recover.clean_restart import CLEAN_RESTART
from selfheal.recover.data import CHECKPOINT_WAL, RESTORE_BACKUP, RESTORE_DATABASE, SALVAGE_DATA, TRUNCATE_TAIL
from selfheal.recover.failover import FAILOVER
from selfheal.recover.free_disk import FREE_DISK
from selfheal.recover.free_port import FREE_PORT
from selfheal.recover.limits import RAISE_LIMIT
from selfheal.recover.quarantine import QUARANTINE
from selfheal.recover.reload import RELOAD
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.recover.roll_back import ROLL_BACK
from selfheal.recover.scale_up import SCALE_UP
from selfheal.recover.shed_load import SHED_LOAD
from selfheal.recover.spare import REPLACE_BY_SPARE

FIXES: tuple[Fix, ...] = (
    RESTART, RESTART_WITH_DEPENDENTS, REPLACE_BY_SPARE, RELOAD, CLEAN_RESTART, ROLL_BACK, RAISE_LIMIT,
    FREE_PORT, FREE_DISK, SCALE_UP, SHED_LOAD, FAILOVER, QUARANTINE,
    CHECKPOINT_WAL, TRUNCATE_TAIL, SALVAGE_DATA, RESTORE_BACKUP, RESTORE_DATABASE,
)  # fmt: skip
