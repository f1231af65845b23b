"""What do the outcomes so far teach?"""

from __future__ import annotations

from selfheal.learn.odds import Posterior, posterior
from selfheal.learn.scorecard import Figure, Scorecard, scorecard

__all__ = ["Figure", "Posterior", "Scorecard", "posterior", "scorecard"]
