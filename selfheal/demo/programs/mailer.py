"""Answers over HTTP for a while and then hangs: it waits for a mail server that never answers, and has one thread.

`--hang-after S` are the seconds until then. The process lives on, and its port still takes connections.
"""

from __future__ import annotations

import argparse
import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Mailer(BaseHTTPRequestHandler):
    """Answers one request; nobody else is served meanwhile."""

    hangs_at = float("inf")

    def do_GET(self) -> None:
        if time.monotonic() > self.hangs_at:
            self.send_mail()
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def send_mail(self) -> None:
        """Wait for a greeting without a timeout: the mistake of which this program is about."""
        print("mailer: sending a mail", flush=True)
        ours, _theirs = socket.socketpair()
        ours.recv(1)

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--hang-after", type=float, default=15.0, metavar="S")
    options = parser.parse_args()

    Mailer.hangs_at = time.monotonic() + options.hang_after
    print(f"mailer: listening on port {options.port}", flush=True)
    HTTPServer(("127.0.0.1", options.port), Mailer).serve_forever()
