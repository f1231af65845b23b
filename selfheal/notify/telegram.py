"""How does an alert get into a chat on Telegram, and change there as its incident goes on?

One message for each alert, edited as that changes, the end included; what still stands is said again by a message of
its own, for an edited one wakes nobody. The client is python-telegram-bot's, made at the first alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from selfheal.config.notify import is_chat
from selfheal.kinds import Alert, NotifyFailed
from selfheal.notify.telegram_anomalies import button
from selfheal.notify.telegram_text import Question, message, plain, presses
from selfheal.notify.telegram_verdicts import Button, buttons

if TYPE_CHECKING:
    from telegram import Bot, InlineKeyboardMarkup

_T = TypeVar("_T")

TIMEOUT_S = 10.0
# What a server says of a message that it will not edit: that is no trouble, or another has to be sent.
_THE_SAME, _NOT_TO_BE_EDITED = "message is not modified", ("message to edit not found", "message can't be edited")
_NO_MARKUP = "can't parse entities"
# What the person can mend while the alert waits, unlike a message that will never do.
_MENDABLE = ("chat not found", "not enough rights", "chat_write_forbidden", "bot was kicked", "bot was blocked")


@dataclass(frozen=True, slots=True)
class Account:
    """Who speaks to whom: the token of the bot, the chat, where the API is, and with what presses are signed."""

    token: SecretStr
    chat: int
    url: str
    key: bytes


def account(environment: Mapping[str, str], key: bytes) -> Account | None:
    """The account that an environment names; None where it names none. `key` is the daemon's own."""
    token, chat = (environment.get(name, "") for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"))
    if not token or not is_chat(chat):
        return None
    url = environment.get("TELEGRAM_API_URL") or "https://api.telegram.org"
    return Account(SecretStr(token), int(chat), url.rstrip("/"), key)


class Line:
    """The bot of an account, made at its first use. `speak` translates what goes wrong."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._bot: Bot | None = None
        self._made = asyncio.Lock()

    async def bot(self) -> Bot:
        """The bot, known to Telegram. Raises what python-telegram-bot raises."""
        from telegram import Bot  # noqa: PLC0415 - 9 MB and 0.07 s beside httpx, for those who use it
        from telegram.request import HTTPXRequest  # noqa: PLC0415 - as above

        async with self._made:
            if self._bot is None:
                ways = [HTTPXRequest(1, read_timeout=TIMEOUT_S, connect_timeout=TIMEOUT_S) for _ in range(2)]
                token = self.account.token.get_secret_value()
                bot = Bot(token, f"{self.account.url}/bot", request=ways[0], get_updates_request=ways[1])
                try:
                    await bot.initialize()
                except BaseException:
                    await bot.shutdown()
                    raise
                self._bot = bot
            return self._bot

    async def speak(self, say: Callable[[Bot], Awaitable[_T]]) -> _T:
        """Let the bot do something. Raises NotifyFailed with a reason that holds no secret."""
        from telegram import error  # noqa: PLC0415 - as above

        try:
            return await say(await self.bot())
        except error.RetryAfter as why:
            wait = why.retry_after
            wait_s = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
            raise NotifyFailed("Telegram asks for a pause", retry_after_s=wait_s) from None
        except error.BadRequest as why:
            final = not any(words in why.message.lower() for words in _MENDABLE)
            raise NotifyFailed(f"Telegram refuses it: {self._safe(why)}", permanent=final) from None
        except (error.InvalidToken, error.Forbidden) as why:
            told = f"Telegram does not let the bot write: {self._safe(why)}; look at TELEGRAM_BOT_TOKEN and _CHAT_ID"
            raise NotifyFailed(told) from None
        except error.TelegramError as why:
            raise NotifyFailed(f"Telegram cannot be reached: {self._safe(why)}") from None

    async def close(self) -> None:
        if self._bot is not None:
            await self._bot.shutdown()
            self._bot = None

    def _safe(self, why: Exception) -> str:
        return str(why).replace(self.account.token.get_secret_value(), "***")


def is_the_same(why: NotifyFailed) -> bool:
    """Whether a message was not edited since it is as it should be already."""
    return _THE_SAME in str(why).lower()


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    """Buttons as Telegram takes them; None where there are none."""
    from telegram import InlineKeyboardButton, InlineKeyboardMarkup  # noqa: PLC0415 - as above

    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in rows]
    )


class TelegramNotifier:
    """Sends alerts to one chat. What it calls a message is its number there."""

    name, one_by_one = "telegram", False

    def __init__(self, line: Line) -> None:
        self._line = line

    async def send(self, alert: Alert, earlier: str) -> str:
        """Deliver `alert`, in the message that tells of the same already where there is one."""
        if earlier:
            try:
                return await self._edited(alert, int(earlier))
            except NotifyFailed as why:
                if any(words in str(why).lower() for words in _NOT_TO_BE_EDITED):
                    return await self._sent(alert)
                raise
        return await self._sent(alert)

    async def _edited(self, alert: Alert, number: int) -> str:
        async def say(bot: Bot, text: str, mode: str | None) -> None:
            chat = self._line.account.chat
            await bot.edit_message_text(text, chat, number, parse_mode=mode, reply_markup=self._buttons(alert))

        try:
            await self._in_either_way(alert, say)
        except NotifyFailed as why:
            if not is_the_same(why):
                raise
        return str(number)

    async def _sent(self, alert: Alert) -> str:
        async def say(bot: Bot, text: str, mode: str | None) -> int:
            chat, quietly = self._line.account.chat, alert.resolved
            buttons = self._buttons(alert)
            sent = await bot.send_message(
                chat, text, parse_mode=mode, reply_markup=buttons, disable_notification=quietly
            )
            return sent.message_id

        return str(await self._in_either_way(alert, say))

    async def _in_either_way(self, alert: Alert, say: Callable[[Bot, str, str | None], Awaitable[_T]]) -> _T:
        """With markup, or plainly where the server does not take that."""
        try:
            return await self._line.speak(lambda bot: say(bot, message(alert), "HTML"))
        except NotifyFailed as why:
            if _NO_MARKUP not in str(why).lower():
                raise
            return await self._line.speak(lambda bot: say(bot, plain(alert), None))

    def _buttons(self, alert: Alert) -> InlineKeyboardMarkup | None:
        key, chat = self._line.account.key, self._line.account.chat
        if alert.anomaly:
            return keyboard(button(key, chat, alert.anomaly))
        if alert.incident is None:
            return None
        if not alert.asks:
            return keyboard(buttons(key, chat, alert.incident, alert.suspects))
        found = presses(key, chat, Question(alert.incident, alert.asks, alert.agent, alert.asked_at))
        return keyboard([[(word.capitalize(), data) for word, data in found.items()]] if found is not None else [])

    async def close(self) -> None:
        await self._line.close()
