"""A counterpart of both model APIs that takes nothing it does not know, and fails in all the ways that they do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

KEY = "sk-model-key-of-the-tests-0123456789"
# What each may be asked with, and what has to be there.
KNOWN = {
    "/v1/messages": {"model", "max_tokens", "system", "messages", "output_config"},
    "/v1/chat/completions": {"model", "max_completion_tokens", "store", "messages", "response_format"},
}


@dataclass
class Counterpart:
    """`script` is what the next answers are, the last one for ever; `asked` the bodies that came, `wrong` what was not
    right about them.
    """

    script: list[str] = field(default_factory=lambda: ["good"])
    asked: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    url: str = ""

    def next(self) -> str:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def counterpart(*script: str) -> Iterator[Counterpart]:
    """Serve both APIs on a port of loopback."""
    known = Counterpart(list(script) or ["good"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield known
    finally:
        known.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def opinion(body: dict[str, Any], **other: object) -> str:
    """A good answer to what was asked, with `other` in it instead."""
    told = json.loads(next(one for one in body["messages"] if one["role"] == "user")["content"])
    first = told["candidates"][0]
    return json.dumps({
        "cause_id": first["id"], "fix_id": "none", "confidence": 0.8,
        "evidence_ids": [one["id"] for one in first["evidence"]][:1], "rationale": "It is so.",
        "missing_cause": "none", **other,
    })  # fmt: skip


def _handler(known: Counterpart) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            known.asked.append(body)
            known.wrong += _wrong(self.path, dict(self.headers), body)
            self._answer(known.next(), body)

        def _answer(self, what: str, body: dict[str, Any]) -> None:
            if what == "hang":
                known.over.wait(30.0)
            elif what == "disconnect":
                self.connection.close()
            elif what.isdecimal():
                self._send(int(what), {"error": {"type": "some_error", "message": f"no {KEY}"}})
            else:
                told = {
                    "half": opinion(body)[:40], "garbage": "I would restart it.", "refusal": "",
                    "unknown": opinion(body, cause_id="c_00000000"), "cut": opinion(body),
                }.get(what) or (opinion(body) if what != "refusal" else "")  # fmt: skip
                self._send(200, (_anthropic if self.path == "/v1/messages" else _openai)(told, what))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.send_header("retry-after-ms", "10")
            self.end_headers()
            self.wfile.write(raw)

    return Handler


def _anthropic(text: str, what: str) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": {"refusal": "refusal", "cut": "max_tokens"}.get(what, "end_turn"), "stop_sequence": None,
        "usage": {"input_tokens": 700, "output_tokens": 60},
    }  # fmt: skip


def _openai(text: str, what: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text or None, "refusal": "I cannot." if what == "refusal" else None}
    return {
        "id": "c1", "object": "chat.completion", "created": int(time.time()), "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if what == "cut" else "stop"}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760},
    }  # fmt: skip


def _wrong(path: str, headers: dict[str, str], body: dict[str, Any]) -> Iterator[str]:
    headers = {name.lower(): value for name, value in headers.items()}
    if path not in KNOWN:
        yield f"{path} is not known"
        return
    if body.keys() != KNOWN[path]:
        yield f"{path}: {sorted(body.keys() ^ KNOWN[path])}"
        return
    if path == "/v1/messages":
        form = body["output_config"]["format"]
        roles = [one["role"] for one in body["messages"]]
        if form.keys() != {"type", "schema"} or form["type"] != "json_schema":
            yield f"format {form}"
        schema = form["schema"]
    else:
        form = body["response_format"]
        roles = [one["role"] for one in body["messages"]][1:]
        if body["messages"][0]["role"] != "system" or body["store"] is not False:
            yield "no system message, or it is to be stored"
        schema = form["json_schema"]["schema"]
        if form["type"] != "json_schema" or form["json_schema"]["strict"] is not True:
            yield f"response_format {form}"
    # Anthropic takes a key either way, and its package has changed from the one to the other.
    if KEY not in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")):
        yield "another key"
    if roles not in (["user"], ["user", "assistant", "user"]):
        yield f"roles {roles}"
    if schema["additionalProperties"] is not False or set(schema["required"]) != set(schema["properties"]):
        yield "a schema that is not strict"
    if KEY in json.dumps(body):
        yield "the key stands in the body"
