"""floor.c for a machine without a compiler."""

import os
import sys

count, command = int(sys.argv[1]), sys.argv[2:]
for _ in range(count):
    os.posix_spawn(command[0], command, os.environ, setsid=True)
while True:
    os.waitpid(-1, 0)
    os.posix_spawn(command[0], command, os.environ, setsid=True)
