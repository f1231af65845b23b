"""Serves over HTTP what it gets from quotes: `GET /health` says whether quotes can be reached."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Rates(BaseHTTPRequestHandler):
    """Answers one request."""

    quotes_port = 0

    def do_GET(self) -> None:
        up = self.quotes_answers()
        body = json.dumps({"quotes": "up" if up else "down"}).encode()
        self.send_response(200 if up else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def quotes_answers(self) -> bool:
        quotes = HTTPConnection("127.0.0.1", self.quotes_port, timeout=0.5)
        try:
            quotes.request("GET", "/")
            return quotes.getresponse().status == 200
        except (OSError, HTTPException) as why:
            print(f"rates: quotes does not answer: {why}", flush=True)
            return False
        finally:
            quotes.close()

    def log_message(self, *_: object) -> None:
        """A line for each request would drown the rest."""


if __name__ == "__main__":
    port, Rates.quotes_port = int(sys.argv[1]), int(sys.argv[2])
    print(f"rates: listening on port {port}, quotes on port {Rates.quotes_port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Rates).serve_forever()
