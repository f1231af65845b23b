"""tiny.c for a machine without a compiler. Its interpreter takes some 15 ms to start: they are part of every figure."""

import os
import select
import struct
import sys
import time

began_ns = time.monotonic_ns()
pipe = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
os.write(pipe, struct.pack("=qq", began_ns, os.getpid()))
reader = select.poll()
reader.register(pipe, 0)
reader.poll()
