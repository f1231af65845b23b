"""A program that can hang: it beats and answers HTTP, until SIGUSR1 sends it into a loop for ever.

    hanging.py PIPE PORT

Says on the pipe when it has begun, as tiny.c does.
"""

import os
import signal
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

BEATS_S = 0.1

began_ns = time.monotonic_ns()
hangs = threading.Event()


def hang(_number: int, _frame: object) -> None:
    hangs.set()
    while True:
        pass


class Answer(BaseHTTPRequestHandler):
    """200 to everything, and no word in the log."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as its base has it
        pass


def beat() -> None:
    file = Path(os.environ["SELFHEAL_HEARTBEAT_FILE"])
    while not hangs.is_set():
        file.touch()
        time.sleep(BEATS_S)


signal.signal(signal.SIGUSR1, hang)
server = HTTPServer(("127.0.0.1", int(sys.argv[2])), Answer)
threading.Thread(target=beat, daemon=True).start()
os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK), struct.pack("=qq", began_ns, os.getpid()))
server.serve_forever()
