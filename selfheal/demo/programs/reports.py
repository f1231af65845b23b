"""Serves over HTTP and forgets to forget: its memory grows by `--mb-per-second` until somebody does something."""

from __future__ import annotations

import argparse
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

STEP_S = 0.25


class Reports(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


def leak(bytes_per_second: float) -> None:
    """Keep every page of every report. What is kept is written to, else the kernel would not count it."""
    kept = []
    while True:
        kept.append(b"x" * int(bytes_per_second * STEP_S))
        time.sleep(STEP_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--mb-per-second", type=float, default=1.7, metavar="MB")
    options = parser.parse_args()

    Thread(target=leak, args=(options.mb_per_second * 1e6,), daemon=True).start()
    print(f"reports: listening on port {options.port}", flush=True)
    HTTPServer(("127.0.0.1", options.port), Reports).serve_forever()
