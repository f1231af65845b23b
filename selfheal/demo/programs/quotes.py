"""Serves over HTTP, and goes away for a while now and then: the process is there, its port is closed.

`--away-after S` are the seconds of service, `--away-for S` those without.
"""

from __future__ import annotations

import argparse
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Timer


class Quotes(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"42\n")

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


def serve(port: int, seconds: float) -> None:
    """Be there for so long."""
    with HTTPServer(("127.0.0.1", port), Quotes) as server:
        print(f"quotes: listening on port {port}", flush=True)
        end = Timer(seconds, server.shutdown)
        end.daemon = True
        end.start()
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--away-after", type=float, default=25.0, metavar="S")
    parser.add_argument("--away-for", type=float, default=8.0, metavar="S")
    options = parser.parse_args()

    while True:
        serve(options.port, options.away_after)
        print("quotes: ERROR: the exchange has closed the line, trying again", flush=True)
        time.sleep(options.away_for)
