"""Serves over HTTP and forgets to forget: its memory grows by `--mb-per-second` until somebody does something.

Where nobody does, it ends at `--most-mb`: it is here to show a leak, not to fill a machine. Several of it share a port:
the kernel gives each connection to one of them, and who is asked to end answers those that it was given before it goes.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

STEP_S = 0.25
# How soon it heeds that it is to end.
HEED_S = 0.02


class Reports(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


class Shared(HTTPServer):
    """Listens along with others on one port."""

    allow_reuse_port = True
    request_queue_size = 128  # the kernel may give nearly all who come at once to one of them
    timeout = 0.0
    idle = False

    def handle_timeout(self) -> None:
        self.idle = True

    def serve_to_the_end(self) -> None:
        """Serve until it is shut down, answer who is in the queue, and let go of the port before anybody else comes."""
        self.serve_forever(HEED_S)
        while not self.idle:
            self.handle_request()
        self.server_close()


def leak(bytes_per_second: float, most: float) -> None:
    """Keep every page of every report. What is kept is written to, else the kernel would not count it."""
    kept: list[bytes] = []
    step = int(bytes_per_second * STEP_S)
    while (len(kept) + 1) * step <= most:
        kept.append(b"x" * step)
        time.sleep(STEP_S)
    threading.Event().wait()  # with what is kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--mb-per-second", type=float, default=1.7, metavar="MB")
    parser.add_argument("--most-mb", type=float, default=160.0, metavar="MB")
    options = parser.parse_args()

    sizes = options.mb_per_second * 1e6, options.most_mb * 1e6
    threading.Thread(target=leak, args=sizes, daemon=True).start()
    server = Shared(("127.0.0.1", options.port), Reports)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"reports: listening on port {options.port}", flush=True)
    server.serve_to_the_end()
