"""What does a spawn cost in a process of this size? spawning.py MB COUNT FOLDER prints microseconds, a line each.

The launcher of the daemon, in a process of its own, without the daemon: so it is the call alone that is timed.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.supervise.launcher import Exit, Launch, Process
from selfheal.supervise.posix import PosixLauncher


async def spawn(count: int, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    launcher = PosixLauncher(loop, RealClock(), str(folder))
    launch = Launch("true", ("/bin/true",), folder, {"PATH": os.defpath}, folder / "log", max_fds=256)
    for generation in range(1, count + 1):
        over: asyncio.Future[Exit] = loop.create_future()

        def ended(_process: Process, end: Exit, over: asyncio.Future[Exit] = over) -> None:
            over.set_result(end)

        began_ns = time.monotonic_ns()
        launcher.spawn(launch, generation, ended)
        print((time.monotonic_ns() - began_ns) / 1e3)
        await over
    launcher.close()


ballast = bytearray(int(sys.argv[1]) << 20)
ballast[::4096] = b"\1" * len(range(0, len(ballast), 4096))
asyncio.run(spawn(int(sys.argv[2]), Path(sys.argv[3])))
