"""selfheal in a process that holds some MB more, as one does that has loaded a library: ballast.py MB VERB…"""

import sys

from selfheal.cli import main

_PAGE = 4096
ballast = bytearray(int(sys.argv[1]) << 20)
ballast[::_PAGE] = b"\1" * len(range(0, len(ballast), _PAGE))  # not only promised: every page is there
sys.exit(main(sys.argv[2:]))
