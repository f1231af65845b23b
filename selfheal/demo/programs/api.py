"""Hands out jobs over HTTP, and keeps count of them in the cache.

`GET /job` is the next job, `GET /health` says whether the cache can be reached, for without it there are no jobs.
"""

from __future__ import annotations

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Api(BaseHTTPRequestHandler):
    """Answers one request."""

    cache_port = 0

    def do_GET(self) -> None:
        try:
            if self.path == "/job":
                self.reply(200, {"job": int(self.ask_cache("ADD jobs"))})
            else:
                self.reply(200, {"cache": "up" if self.ask_cache("PING") == "PONG" else "down"})
        except OSError as why:
            print(f"api: the cache does not answer: {why}", flush=True)
            self.reply(503, {"cache": "down"})

    def ask_cache(self, request: str) -> str:
        with socket.create_connection(("127.0.0.1", self.cache_port), timeout=0.5) as cache:
            cache.sendall(f"{request}\n".encode())
            return cache.makefile().readline().strip()

    def reply(self, status: int, facts: dict[str, object]) -> None:
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


if __name__ == "__main__":
    port, Api.cache_port = int(sys.argv[1]), int(sys.argv[2])
    print(f"api: listening on port {port}, cache on port {Api.cache_port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Api).serve_forever()
