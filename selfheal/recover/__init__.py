"""What can be done to an agent? The built-in fixes, one file a layer, one line each here."""

from selfheal.kinds import Fix
from selfheal.recover.application import RESTART, RESTART_WITH_DEPENDENTS

FIXES: tuple[Fix, ...] = (RESTART, RESTART_WITH_DEPENDENTS)
