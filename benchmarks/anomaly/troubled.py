"""Serves `/health` and `/metrics` as the programs of the demo do, and is well until `--after` seconds; then it is in
trouble, of the kind that it is told: its answers take `--times` as long, ever more of them fail, or its memory grows.

It works on each answer for twenty milliseconds, more or less, and one answer in a hundred fails at any time.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORK_S, FAILS = 0.02, 0.01
# What it asks of itself a second, and by how much more of that fails with each second of a ramp.
ASKED_A_SECOND, WORSE_A_SECOND = 100, 0.04
LEAKED_MB_A_SECOND = 2.0


class Service:
    """What it has done so far, and how it is."""

    def __init__(self, trouble: str, after_s: float, times: float) -> None:
        self.trouble, self.times = trouble, times
        self.begin = time.monotonic() + after_s
        self.requests = self.errors = 0
        self.kept: list[bytes] = []

    def troubled_s(self, trouble: str) -> float:
        """For how long it is in trouble of this kind."""
        return max(0.0, time.monotonic() - self.begin) if trouble == self.trouble else 0.0

    def work(self) -> None:
        """Do what an answer takes."""
        time.sleep(WORK_S * random.uniform(0.8, 1.2) * (self.times if self.troubled_s("slow") else 1.0))

    def live(self) -> None:
        """Ask itself all the time, and lose memory where that is its trouble."""
        while True:
            time.sleep(1.0 / ASKED_A_SECOND)
            self.requests += 1
            self.errors += random.random() < FAILS + WORSE_A_SECOND * self.troubled_s("errors")
            if self.troubled_s("leak"):
                self.kept.append(b"x" * int(LEAKED_MB_A_SECOND * 1e6 / ASKED_A_SECOND))


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                text = (
                    f"# TYPE requests_total counter\nrequests_total {service.requests}\n"
                    f"# TYPE errors_total counter\nerrors_total {service.errors}\n"
                )
            else:
                service.work()
                text = "ok\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """A line for each request would drown the rest."""

    return Answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("trouble", choices=("slow", "errors", "leak", "none"))
    parser.add_argument("--after", type=float, default=180.0)
    parser.add_argument("--times", type=float, default=4.0)
    options = parser.parse_args()

    one = Service(options.trouble, options.after, options.times)
    threading.Thread(target=one.live, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", options.port), handler(one)).serve_forever()
