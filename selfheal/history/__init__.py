"""What were the signals of each agent until now?"""

from __future__ import annotations

from selfheal.history.rings import History

__all__ = ["History"]
