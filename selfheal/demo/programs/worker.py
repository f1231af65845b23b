"""Takes jobs from the api one by one, and shows a sign of life after each: it touches $SELFHEAL_HEARTBEAT_FILE."""

from __future__ import annotations

import json
import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PAUSE_S = 1.0


def next_job(port: int) -> int:
    """Ask the api for work."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/job")
        return int(json.load(connection.getresponse())["job"])
    finally:
        connection.close()


def show_life() -> None:
    """Say that this program goes on, whether there is work or not."""
    if beat := os.environ.get("SELFHEAL_HEARTBEAT_FILE"):
        Path(beat).touch()


if __name__ == "__main__":
    api_port = int(sys.argv[1])
    while True:
        try:
            print(f"worker: job {next_job(api_port)} is done", flush=True)
        except (OSError, HTTPException, KeyError, ValueError) as why:
            print(f"worker: no job: {why!r}", flush=True)
        show_life()
        time.sleep(PAUSE_S)
