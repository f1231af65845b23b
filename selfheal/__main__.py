"""How is selfheal started as a module? `python -m selfheal` is the same as `selfheal`."""

from __future__ import annotations

import sys

from selfheal.cli import main

if __name__ == "__main__":
    sys.exit(main())
