"""What does the person on Telegram say, and what comes of it?

Presses on the buttons of a question, and a few commands. Only the chat of the account counts, and in it only who may
decide; everybody else gets no answer. Whatever is ordered goes through the same door as an order over the API. What was
heard before a crash and not confirmed is heard again: an approval is judged by the state of its question, and the
other orders may be given twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from selfheal.clock import Clock
from selfheal.compose.control import FleetControl
from selfheal.errors import SelfhealError
from selfheal.kinds import NotifyFailed
from selfheal.ledger import Ledger
from selfheal.notify import telegram_anomalies
from selfheal.notify.alerts import likely
from selfheal.notify.telegram import Line, is_the_same, keyboard
from selfheal.notify.telegram_anomalies import NotWorthIt, read_not_worth_it
from selfheal.notify.telegram_text import Question, is_answer, may_decide, parted, read_press
from selfheal.notify.telegram_verdicts import (
    ALL,
    LIKELY,
    WRONG,
    Button,
    Said,
    Verdict,
    buttons,
    is_ours,
    read_verdict,
)
from selfheal.serve.story import story
from selfheal.serve.views.explanation import summary
from selfheal.world import Incident, World
from selfheal.world.cases import state_of

if TYPE_CHECKING:
    from telegram import Bot, CallbackQuery, Message, Update, User

# So long Telegram holds an answer back while nothing is said.
POLL_S = 25
BACKOFF_FIRST_S, BACKOFF_LAST_S = 1.0, 60.0
# An incident's story on a telephone: its beginning and its end.
LINES_HEAD, LINES_TAIL = 10, 30
INCIDENTS_TOLD = 10
LONGEST_ANSWER = 200  # of what is shown on a press
BY = "telegram:"

HELP = (
    "/status: how the fleet is",
    "/incidents: the latest incidents",
    "/why AGENT or INCIDENT: what happened, and what was done",
    "/approve INCIDENT, /reject INCIDENT: decide what is asked",
    "/pause [AGENT], /resume [AGENT]: the kill switch",
    "/mute MINUTES [AGENT]: no alerts for so long, of one agent or all; 0 ends that",
)


class Chat:
    """Listens to one chat for as long as the daemon runs."""

    def __init__(
        self, line: Line, ledger: Ledger, clock: Clock, control: FleetControl, users: Callable[[], Sequence[int]]
    ) -> None:
        self._line = line
        self._ledger = ledger
        self._clock = clock
        self._control = control
        self._users = users
        self._log = structlog.get_logger("selfheal")
        self._heard: int | None = None
        self._trouble = ""

    async def listen(self, stopping: asyncio.Event) -> None:
        """Take in what is said until the daemon stops: a poll takes long, and one without an answer far longer."""
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._listen(), name="chat")
            await stopping.wait()
            hearing.cancel()

    async def _listen(self) -> None:
        """That Telegram is out of order is said once, and that it is back."""
        wait_s = BACKOFF_FIRST_S
        while True:
            try:
                updates = await self._line.speak(self._next)
            except NotifyFailed as why:
                if str(why) != self._trouble:
                    self._log.warning("chat.failed", why=str(why))
                self._trouble = str(why)
                await self._clock.sleep(max(wait_s, why.retry_after_s or 0.0))
                wait_s = min(BACKOFF_LAST_S, 2 * wait_s)
                continue
            if self._trouble:
                self._log.info("chat.back")
            self._trouble, wait_s = "", BACKOFF_FIRST_S
            for update in updates:
                self._heard = update.update_id + 1
                await self._hear(update)

    async def _next(self, bot: Bot) -> Sequence[Update]:
        return await bot.get_updates(self._heard, timeout=POLL_S, allowed_updates=["message", "callback_query"])

    async def _hear(self, update: Update) -> None:
        """Heed one update; what cannot be answered is not asked for again."""
        try:
            if update.callback_query is not None:
                await self._pressed(update.callback_query)
            elif update.message is not None:
                await self._said(update.message)
        except NotifyFailed as why:
            self._log.warning("chat.unanswered", why=str(why))

    async def _pressed(self, query: CallbackQuery) -> None:
        place = query.message.chat.id if query.message is not None else 0
        if place != self._line.account.chat or not self._may_decide(query.from_user):
            self._log.warning("chat.stranger", user=query.from_user.id, chat=place)
            told = "You may not decide here."
        else:
            verdict, spurned = read_verdict(query.data or ""), read_not_worth_it(query.data or "")
            if verdict is not None:
                told = await self._judged(verdict, query)
            elif spurned is not None:
                told = await self._dismissed(spurned, query.from_user)
            else:
                told = await self._decided(query.data or "", query.from_user)
        await self._line.speak(lambda bot: bot.answer_callback_query(query.id, told[:LONGEST_ANSWER]))

    async def _decided(self, data: str, user: User) -> str:
        press = read_press(data)
        incident = self._ledger.world.case(press.incident) if press is not None else None
        if press is None or incident is None or incident.approval is None:
            return "This is no question any more."
        asked = incident.approval
        question = Question(incident.id, asked.fix, asked.agent, asked.asked_at)
        if not is_answer(self._line.account.key, self._line.account.chat, press, question):
            return "This is no question any more."
        if asked.approved is not None:
            return f"It was {'approved' if asked.approved else 'rejected'} by {asked.by}."
        decide = self._control.approve if press.word == "approve" else self._control.reject
        return await self._carried_out(lambda: decide(incident.id, _name(user)), f"{press.word}: {asked.fix}")

    async def _dismissed(self, press: NotWorthIt, user: User) -> str:
        """Take it that an anomaly was not worth telling; its message changes as that of any alert that is over."""
        account = self._line.account
        if not telegram_anomalies.is_ours(account.key, account.chat, press):
            return "This is no question any more."
        dismiss = partial(self._control.dismiss, press.anomaly, _name(user))
        return await self._carried_out(dismiss, f"{press.anomaly}: the same is told less easily")

    async def _judged(self, verdict: Verdict, query: CallbackQuery) -> str:
        """Take what a person says of a cause, and show in the message what holds."""
        account = self._line.account
        incident = self._ledger.world.incidents.get(verdict.incident)
        if incident is None or not is_ours(account.key, account.chat, verdict):
            return "This is no question any more."
        told = ""
        if verdict.word not in (ALL, LIKELY):
            cause = "" if verdict.word == WRONG else verdict.word
            done = f"{incident.id}: {cause.replace('_', ' ') or 'not that'}"
            label = partial(self._control.label, incident.id, cause, "", _name(query.from_user))
            told = await self._carried_out(label, done)
        known = self._ledger.world.incidents.get(verdict.incident, incident)
        rows = _verdicts(account.key, account.chat, known, every=verdict.word == ALL)
        if query.message is not None:
            place = query.message.message_id
            await self._redraw(partial(_redrawn, chat=account.chat, message=place, rows=rows))
        return told

    async def _redraw(self, draw: Callable[[Bot], Awaitable[None]]) -> None:
        """What was said holds, whether it can be shown or not."""
        try:
            await self._line.speak(draw)
        except NotifyFailed as why:
            if not is_the_same(why):
                self._log.warning("chat.not_redrawn", why=str(why))

    async def _said(self, said: Message) -> None:
        user, words = said.from_user, (said.text or "").split()
        if said.chat.id != self._line.account.chat or user is None or not self._may_decide(user):
            self._log.warning("chat.stranger", user=user.id if user is not None else 0, chat=said.chat.id)
            return
        if not words or not words[0].startswith("/"):
            return
        command, arguments = words[0][1:].partition("@")[0].lower(), words[1:]
        for text in parted(await self._answer(command, arguments, _name(user))):
            await self._line.speak(partial(_send, chat=said.chat.id, text=text))

    async def _answer(self, command: str, arguments: Sequence[str], by: str) -> Iterable[str]:
        """What a command is answered, in lines."""
        world, first = self._ledger.world, arguments[0] if arguments else ""
        match command, len(arguments):
            case "status", 0:
                return _status(world)
            case "incidents", 0:
                latest = [*world.incidents.values()][-INCIDENTS_TOLD:]
                return [f"{one.id}: {summary(one)}" for one in reversed(latest)] or ["No incident yet."]
            case "why", 1:
                return _why(world, first)
            case "approve" | "reject", 1:
                decide = self._control.approve if command == "approve" else self._control.reject
                return [await self._carried_out(lambda: decide(first, by), f"{command}: {first}")]
            case "pause" | "resume", 0 | 1:
                switch = self._control.pause if command == "pause" else self._control.resume
                done = f"{command}: {first or 'the whole fleet'}"
                return [await self._carried_out(lambda: switch(first or None, by), done)]
            case "mute", 1 | 2 if first.isdecimal():
                minutes, agent = int(first), arguments[1] if arguments[1:] else None
                whose = f" of {agent}" if agent else ""
                done = f"No alerts{whose} for {minutes} minutes." if minutes else f"Alerts{whose} are told again."
                return [await self._carried_out(lambda: self._control.mute(agent, 60.0 * minutes, by), done)]
            case _:
                return HELP

    async def _carried_out(self, order: Callable[[], Awaitable[None]], done: str) -> str:
        try:
            await order()
        except SelfhealError as why:
            return str(why)
        return done

    def _may_decide(self, user: User) -> bool:
        return may_decide(self._line.account.chat, user.id, self._users())


async def _send(bot: Bot, *, chat: int, text: str) -> None:
    await bot.send_message(chat, text, parse_mode="HTML")


async def _redrawn(bot: Bot, *, chat: int, message: int, rows: Sequence[Sequence[Button]]) -> None:
    await bot.edit_message_reply_markup(chat, message, reply_markup=keyboard(rows))


def _verdicts(key: bytes, chat: int, incident: Incident, *, every: bool) -> list[list[Button]]:
    label = incident.label
    said = Said(label.cause or WRONG, label.by.removeprefix(BY)) if label is not None else None
    return buttons(key, chat, incident.id, likely(incident), said, every=every)


def _status(world: World) -> list[str]:
    """The fleet in a few lines."""
    agents = world.agents.values()
    states = [agent.state for agent in agents]
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    lines = [f"{len(states)} agent{'s' if len(states) != 1 else ''}: {counted}" if states else "No agents."]
    if world.paused:
        lines.append("Healing is paused.")
    lines += [f"{agent.name}: {agent.state}" for agent in agents if agent.down]
    return lines + [f"{one.id}: {summary(one)}" for one in world.open_incidents()]


def _why(world: World, name: str) -> list[str]:
    incident, work = world.incidents.get(name) or _latest(world, name), _work(world, name)
    if incident is None:
        known = "nothing has happened to it" if name in world.agents else "there is no agent or incident of this name"
        return work or [f"{name}: {known}."]
    lines = [str(line) for line in story(incident)]
    if len(lines) > LINES_HEAD + LINES_TAIL:
        lines[LINES_HEAD:-LINES_TAIL] = ["…"]
    return [*work, f"{incident.id}: {summary(incident)}", "", *lines]


def _work(world: World, agent: str) -> list[str]:
    """The latest work ahead of time on an agent, of which no incident tells."""
    latest = next((one for one in reversed([*world.foresight.work.values()]) if one.planned.agent == agent), None)
    if latest is None:
        return []
    planned, standing = latest.planned, state_of(world, latest).replace("_", " ")
    return [f"ahead of time ({planned.work}): {planned.action}, {standing}: {planned.why}"]


def _latest(world: World, agent: str) -> Incident | None:
    return next((one for one in reversed([*world.incidents.values()]) if agent in one.agents), None)


def _name(user: User) -> str:
    return f"{BY}{user.username or user.id}"
