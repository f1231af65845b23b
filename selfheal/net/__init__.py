"""How are thousands of connections opened and watched, for next to nothing?"""

from __future__ import annotations

from selfheal.net.dial import Dialer, Dialing

__all__ = ["Dialer", "Dialing"]
