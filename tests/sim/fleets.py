"""The configurations of the tests in here, in a few words each."""

from __future__ import annotations

from collections.abc import Iterable


def agent(name: str, *needs: str, checked: bool = True, more: str = "") -> str:
    """A process that depends on others and is asked each five seconds. `more` is any further lines of its table."""
    lines = [f"[agents.{name}]", f'command = "{name}"', f"depends_on = {list(needs)}"]
    if checked:
        lines.append(CHECKED)
    return "\n".join([*lines, more, ""])


def several(name: str, instances: int, *needs: str, more: str = "") -> str:
    """A process with so many instances."""
    return agent(name, *needs, more=f"instances = {instances}\n{more}")


def service(name: str, more: str = "") -> str:
    """What runs elsewhere: there is no process to start."""
    return "\n".join([f"[agents.{name}]", 'kind = "service"', CHECKED, more, ""])


CHECKED = 'checks = [{ sim = "it answers", interval = 5, timeout = 2, fall = 3, rise = 2 }]'


def many(names: Iterable[str], *needs: str) -> str:
    return "\n".join(agent(name, *needs) for name in names)


SHOP = agent("cache") + agent("api", "cache") + agent("mailer", "cache") + agent("web", "api")
SHOP_NAMES = ("cache", "api", "mailer", "web")
