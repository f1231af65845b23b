"""What will fail, when, and what is done before?"""

from __future__ import annotations

from selfheal.predict.exhaustion import Forecast, forecasts, foresee
from selfheal.predict.maintenance import due, plan, void

__all__ = ["Forecast", "due", "forecasts", "foresee", "plan", "void"]
