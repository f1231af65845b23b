"""A key-value store over TCP that remembers nothing once it ends.

One request a line: `PING`, `GET key`, `SET key value`, `ADD key`, which counts up. One answer a line.
"""

from __future__ import annotations

import sys
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock

VALUES: dict[str, str] = {}
ONE_AT_A_TIME = Lock()


class Conversation(StreamRequestHandler):
    """Answers one client until it has no more to ask."""

    def handle(self) -> None:
        for line in self.rfile:
            with ONE_AT_A_TIME:
                reply = answer(*line.decode(errors="replace").split(maxsplit=2))
            self.wfile.write(f"{reply}\n".encode())


def answer(command: str = "", key: str = "", value: str = "") -> str:
    """Do what one request says."""
    match command:
        case "PING":
            return "PONG"
        case "GET":
            return VALUES.get(key, "")
        case "SET":
            VALUES[key] = value.strip()
            return "OK"
        case "ADD":
            VALUES[key] = str(int(VALUES.get(key, "0")) + 1)
            return VALUES[key]
        case _:
            return "ERROR say PING, GET key, SET key value or ADD key"


class Server(ThreadingTCPServer):
    """One thread a client."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    port = int(sys.argv[1])
    with Server(("127.0.0.1", port), Conversation) as server:
        print(f"cache: listening on port {port}", flush=True)
        server.serve_forever()
