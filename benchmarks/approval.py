"""How soon is done what a person has approved on Telegram?

A real daemon, with real processes as fixes, and a Bot API on loopback. One agent after the other falls ill and asks;
measured is from the press of the button to the moment at which the fix has left its mark on the disk. What the way to
Telegram and back takes is not in it: on top come a round trip for the press.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path

from benchmarks.report import Goal, print_goals, print_table, run, save
from tests.real.daemon_process import house, until
from tests.real.telegram_fake import CHAT, TOKEN, Sent, Telegram, telegram

AGENT = """
[agents.{name}]
kind = "service"
fixes = ["mend_{name}"]
checks = [{{ command = ["test", "!", "-e", "{name}.bad"], interval = 0.2, fall = 1, rise = 1 }}]
[fixes.mend_{name}]
command = ["sh", "-c", "touch {name}.mended; rm {name}.bad"]
approval = true
"""
HEAD = '[guard]\nverify = "0.2s"\nstorm = 1.0\nstorm_floor = 99\n[notify]\ngroup = 0\n'


def measured(agents: int) -> list[float]:
    """The seconds from each press to its fix."""
    names = [f"a{number}" for number in range(agents)]
    toml = HEAD + "".join(AGENT.format(name=name) for name in names)
    with (
        telegram() as chat,
        house(toml, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_ID=str(CHAT), TELEGRAM_API_URL=chat.url) as place,
    ):
        until(lambda: place.ready)
        return [_one(chat, Path(place.folder), name) for name in names]


def _one(chat: Telegram, folder: Path, name: str) -> float:
    (folder / f"{name}.bad").touch()
    question = until(lambda: _question(chat, name), 60.0)
    assert question is not None
    pressed = time.time()
    chat.press(question.number, question.buttons["Approve"])
    mark = folder / f"{name}.mended"
    until(mark.exists, 60.0)
    until(lambda: "well again" in question.text, 60.0)
    return mark.stat().st_mtime - pressed


def _question(chat: Telegram, name: str) -> Sent | None:
    messages = tuple(chat.messages.values())
    return next((one for one in messages if one.buttons and f"mend_{name} be" in one.text), None)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.approval", description=__doc__)
    parser.add_argument("--agents", type=int, default=20, help="so many approvals")
    chosen = parser.parse_args()
    took = sorted(measured(chosen.agents))
    p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
    print_table("From the press to the fix, ms", ("p50", "p95", "worst"), [[1e3 * p50, 1e3 * p95, 1e3 * took[-1]]])
    goals = [Goal("approval to action, p95", p95, 1.5, "s")]
    print_goals(goals)
    save("approval", {"agents": chosen.agents}, {"p50_s": p50, "p95_s": p95, "worst_s": took[-1]}, goals)


if __name__ == "__main__":
    run(main)
