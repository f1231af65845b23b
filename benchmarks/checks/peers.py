"""What do other programs that check need for a probe?

Each asks the same nginx over a new connection for each probe, which is all that they can do. nginx counts, and the
processor is that of the program, as the kernel counts it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checks.alone import ASKING, SERVING, alone, free_ports, pinned
from benchmarks.checks.engines import Asking
from benchmarks.checks.nginx import NEEDLE, Nginx
from benchmarks.gauges import cpu_s, memory
from benchmarks.peers.places import program

_BLACKBOX, _MONIT = "prometheus-blackbox-exporter", "monit"
# It asks one host after the other and then rests for a second: a window of less is the rest alone.
MONIT_HOSTS = 1000
MONIT_S = 5.0
_START_S = 10.0


@dataclass(frozen=True, slots=True)
class CheckingPeer:
    """A program that checks. `measure` takes the server, the mode and for how many seconds at least."""

    name: str
    modes: tuple[str, ...]
    measure: Callable[[Nginx, str, float], dict[str, float]]
    there: bool
    comes_by: str


# --- blackbox_exporter ---

_MODULE = f"""\
modules:
  http:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
      fail_if_body_not_matches_regexp: ['{NEEDLE}']
      tls_config: {{insecure_skip_verify: true}}
"""


def blackbox(server: Nginx, mode: str, seconds: float) -> dict[str, float]:
    """It probes when it is told to, by a request, and answers with the metrics of the probe."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "blackbox.yml"
        file.write_text(_MODULE, encoding="utf-8")
        options = [f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with _running([str(program(_BLACKBOX)), *options], GOMAXPROCS="1") as pid:
            _wait_for_port(port)
            told = f"http://127.0.0.1:{port}/probe?module=http&target="
            asking = Asking(
                "selfheal", "asyncio", tuple(told + url for url in server.urls(mode, 64)), "\nprobe_success 1", seconds
            )
            with _counted(server, pid) as found:
                alone("benchmarks.checks.engines", asking, seconds + 20, SERVING)
    return found


# --- monit ---


def monit(server: Nginx, mode: str, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "monitrc"
        file.write_text(_monitrc(server, mode, folder), encoding="utf-8")
        file.chmod(0o600)  # it takes no other
        log = Path(folder) / "log"
        with _running([str(program(_MONIT)), "-I", "-c", str(file)]) as pid:
            _wait_for_requests(server)
            with _counted(server, pid) as found:
                time.sleep(max(seconds, MONIT_S))
        wrong = [line for line in log.read_text(encoding="utf-8").splitlines() if " error " in line]
        if wrong:
            raise RuntimeError(f"monit found {len(wrong)} wrong, the first: {wrong[0]}")
    return found


def _monitrc(server: Nginx, mode: str, folder: str) -> str:
    port = server.ports[mode]
    hosts = (
        f"check host h{at} with address {url.split('/')[2].split(':')[0]}\n"
        f"  if failed port {port} protocol http request '/health' content = '{NEEDLE}' timeout 5 seconds then alert"
        for at, url in enumerate(server.urls(mode, MONIT_HOSTS))
    )
    files = (f"set {what} {folder}/{what}" for what in ("log", "pidfile", "idfile", "statefile"))
    return "\n".join(["set daemon 1", *files, *hosts, ""])


# In the order of the tables.
CHECKING_PEERS = (
    CheckingPeer(
        "blackbox_exporter",
        ("new", "tls_new"),
        blackbox,
        program(_BLACKBOX) is not None,
        "'apt-get install prometheus-blackbox-exporter'",
    ),
    CheckingPeer("monit", ("new",), monit, program(_MONIT) is not None, "'apt-get install monit'"),
)


def checking_peers() -> Mapping[str, CheckingPeer]:
    """What can be measured here, by name."""
    for peer in CHECKING_PEERS:
        if not peer.there:
            print(f"{peer.name} is left out: {peer.comes_by} brings it.", flush=True)
    return {peer.name: peer for peer in CHECKING_PEERS if peer.there}


# --- running and counting ---


@contextmanager
def _running(command: list[str], **variables: str) -> Iterator[int]:
    """The pid of a program that stays on the processor of those who ask."""
    whole = [*pinned(ASKING), *command]
    with subprocess.Popen(
        whole, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid  # taskset has become the program
        finally:
            process.terminate()


@contextmanager
def _counted(server: Nginx, pid: int) -> Iterator[dict[str, float]]:
    """Fill in what one process, with all its threads, did and used meanwhile."""
    found: dict[str, float] = {}
    requests, spent_s, began = server.requests(), cpu_s([pid]), time.monotonic()
    yield found
    used_s, took_s = cpu_s([pid]) - spent_s, time.monotonic() - began
    probes = server.requests() - requests - 1  # the question itself is one
    if probes < 1 or used_s <= 0.0:
        raise RuntimeError("it has not asked anything")
    found |= {"per_cpu_s": probes / used_s, "per_s": probes / took_s, "rss_mb": memory([pid]).rss}


def _wait_for_requests(server: Nginx) -> None:
    """Until it has asked each host once: reading its configuration is no probe."""
    begin, deadline = server.requests(), time.monotonic() + _START_S
    asked = 0
    while asked < MONIT_HOSTS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"it has asked {asked} hosts in {_START_S:g} s")
        time.sleep(0.1)
        asked = server.requests() - begin
        begin += 1


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
