"""One question to a language model, in a process of its own: `python -m selfheal.model`.

The question stands in the environment, since it holds a key; the answer goes to stdout as one line of JSON. It ends
with its answer: what is asked once about a trouble is worth no process that stays.
"""

from __future__ import annotations

import os
import sys

import msgspec

from selfheal.model.child import ask
from selfheal.model.wire import QUESTION, Question


def main() -> int:
    """Ask the question of the environment; returns the exit code."""
    question = msgspec.json.decode(os.environ.pop(QUESTION).encode(), type=Question)
    sys.stdout.write(msgspec.json.encode(ask(question)).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
