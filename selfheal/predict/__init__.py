"""What will fail, when, and what is done before?"""

from __future__ import annotations

from selfheal.predict.exhaustion import Forecast, forecasts, foresee
from selfheal.predict.maintenance import slot, void, wanted

__all__ = ["Forecast", "forecasts", "foresee", "slot", "void", "wanted"]
