"""A server of Telegram's Bot API that holds a chat, and is as strict as the real one.

It knows one token and one chat, keeps its messages, and gives updates out until they are confirmed. Limits of length,
of what a button may send back, and the order of HTML tags are checked; it can be told to answer with any error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from urllib.parse import parse_qsl

TOKEN = "123456789:AAf00dfeedf00dfeedf00dfeedf00dfeed"
CHAT = 4711
TAGS = frozenset({"b", "i", "code", "pre"})


class Refused(Exception):
    """What the server answers instead of a result."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters


@dataclass
class Sent:
    """A message of the bot as it is now, and each text that it had."""

    number: int
    texts: list[str]
    buttons: dict[str, str]
    """What each button sends back, by its words."""

    @property
    def text(self) -> str:
        return self.texts[-1]


@dataclass
class Telegram:
    """The chat. `refuse` is what the next calls of a method are answered with, one after the other."""

    port: int
    token: str = TOKEN
    changed: Condition = field(default_factory=Condition)
    messages: dict[int, Sent] = field(default_factory=dict)
    updates: list[dict[str, object]] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    """The id of a press, and what was shown on it."""
    refuse: dict[str, list[Refused]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def press(self, message: int, data: str, *, user: int = CHAT, chat: int = CHAT) -> str:
        """Somebody presses a button; returns the id of the press."""
        name = str(next(self._numbers))
        self._happens(
            callback_query={
                "id": name,
                "from": _user(user),
                "chat_instance": "1",
                "data": data,
                "message": {"message_id": message, "date": 1_800_000_000, "chat": _chat(chat), "text": "…"},
            }
        )
        return name

    def say(self, text: str, *, user: int = CHAT, chat: int = CHAT) -> None:
        """Somebody writes something."""
        number, about = next(self._numbers), {"chat": _chat(chat), "from": _user(user), "date": 1_800_000_000}
        entities = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        self._happens(message={"message_id": number, **about, "text": text, "entities": entities})

    def answer_to(self, press: str) -> str | None:
        return next((text for name, text in self.answers if name == press), None)

    def _happens(self, **what: object) -> None:
        with self.changed:
            self.updates.append({"update_id": next(self._numbers), **what})
            self.changed.notify_all()

    # --- the methods ---

    def call(self, token: str, method: str, sent: Mapping[str, str]) -> object:
        if token != self.token:
            raise Refused(401, "Unauthorized")
        with self.changed:
            self.calls.append(method)
            if self.refuse.get(method):
                raise self.refuse[method].pop(0)
        match method:
            case "getMe":
                return {**_user(1), "is_bot": True, "username": "selfheal_bot"}
            case "sendMessage":
                return self._send(sent)
            case "editMessageText":
                return self._edit(sent)
            case "editMessageReplyMarkup":
                return self._edit(sent, text=False)
            case "answerCallbackQuery":
                self.answers.append((sent["callback_query_id"], _limited(sent.get("text", ""), 200)))
                return True
            case "getUpdates":
                return self._get_updates(int(sent.get("offset", 0)), float(sent.get("timeout", 0)))
            case _:
                raise Refused(404, "Not Found")

    def _send(self, sent: Mapping[str, str]) -> object:
        _in_the_chat(sent)
        number = next(self._numbers)
        with self.changed:
            self.messages[number] = Sent(number, [_text(sent)], _buttons(sent))
            self.changed.notify_all()
        return self._message(number)

    def _edit(self, sent: Mapping[str, str], *, text: bool = True) -> object:
        _in_the_chat(sent)
        known = self.messages.get(int(sent["message_id"]))
        if known is None:
            raise Refused(400, "Bad Request: message to edit not found")
        said, buttons = _text(sent) if text else known.text, _buttons(sent)
        if (said, buttons) == (known.text, known.buttons):
            raise Refused(400, "Bad Request: message is not modified")
        with self.changed:
            known.texts.append(said)
            known.buttons = buttons
            self.changed.notify_all()
        return self._message(known.number)

    def _message(self, number: int) -> object:
        return {"message_id": number, "date": 1_800_000_000, "chat": _chat(CHAT), "text": "…"}

    def _get_updates(self, offset: int, timeout_s: float) -> object:
        with self.changed:
            if offset:
                self.updates = [one for one in self.updates if int(str(one["update_id"])) >= offset]
            self.changed.wait_for(lambda: bool(self.updates), min(timeout_s, 0.5))
            return list(self.updates)


def _in_the_chat(sent: Mapping[str, str]) -> None:
    if int(sent["chat_id"]) != CHAT:
        raise Refused(400, "Bad Request: chat not found")


def _text(sent: Mapping[str, str]) -> str:
    """The text without its markup, as Telegram counts it."""
    if sent.get("parse_mode") != "HTML":
        return _limited(sent["text"], 4096)
    reader = _Html()
    reader.feed(sent["text"])
    reader.close()
    if reader.wrong or reader.open:
        raise Refused(400, f"Bad Request: can't parse entities: {reader.wrong or 'a tag is not closed'}")
    return _limited("".join(reader.text), 4096)


def _limited(text: str, most: int) -> str:
    if len(text) > most:
        raise Refused(400, "Bad Request: message is too long")
    return text


def _buttons(sent: Mapping[str, str]) -> dict[str, str]:
    rows = json.loads(sent["reply_markup"])["inline_keyboard"] if "reply_markup" in sent else []
    found = {button["text"]: button["callback_data"] for row in rows for button in row}
    if any(not 1 <= len(data.encode()) <= 64 for data in found.values()):
        raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return found


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.open: list[str] = []
        self.wrong = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        if tag not in TAGS:
            self.wrong = f'unsupported start tag "{tag}"'

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong = f'unexpected end tag "{tag}"'

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _user(number: int) -> dict[str, object]:
    return {"id": number, "is_bot": False, "first_name": f"User {number}", "username": f"user{number}"}


def _chat(number: int) -> dict[str, object]:
    return {"id": number, "type": "private" if number > 0 else "group", "first_name": "Ann"}


@contextmanager
def telegram(port: int = 0, token: str = TOKEN) -> Iterator[Telegram]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            place, _, method = self.path.removeprefix("/bot").partition("/")
            sent = dict(parse_qsl(body.decode(), keep_blank_values=True))
            try:
                status, answer = 200, {"ok": True, "result": chat.call(place, method, sent)}
            except Refused as why:
                status = why.status
                answer = {"ok": False, "error_code": status, "description": str(why)}
                if why.parameters:
                    answer["parameters"] = why.parameters
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            pass  # the daemon hangs up when it stops

    with Server(("127.0.0.1", port), Handler) as server:
        chat = Telegram(server.server_address[1], token)
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()
