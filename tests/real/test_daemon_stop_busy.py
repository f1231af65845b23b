"""Does a daemon end in time and whole with everything under way at once, and nobody outside who answers?"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest

from selfheal.events import DaemonStopped, decode
from selfheal.store.frames import Frame, scan
from selfheal.store.salvage import segments
from selfheal.supervise import proc
from tests.real.daemon_process import CLOCK, LOOPBACK, House, Stream, house, until
from tests.real.telegram_fake import CHAT, TOKEN

STOP_TIMEOUT_S = 4.0
FLEET = """
[daemon]
stop_timeout = 4
gateway_url = "http://127.0.0.1:{deaf}"
[guard]
attempts_per_hour = 0
[notify]
group = 0
webhook = "http://127.0.0.1:{deaf}/hook"
apprise = ["json://127.0.0.1:{deaf}/apprise"]
[backup.restic]
repository = "/mnt/away"
password_file = "password"

[agents.site]
kind = "service"
fixes = ["slow"]
checks = [{{ command = ["test", "-e", "well"], interval = 0.2, fall = 1 }}]
[fixes.slow]
command = ["sleep", "1000"]
timeout = 900

[agents.far]
kind = "render"
service = "srv-far"
checks = [{{ http = "http://127.0.0.1:{deaf}/far", interval = 0.2, timeout = 60 }}]

[agents.lost]
kind = "service"
checks = [{{ command = ["false"], interval = 0.2, fall = 1 }}]

[agents.hangs]
kind = "service"
checks = [{{ command = ["sleep", "1000"], interval = 0.2, timeout = 60 }}]

[agents.ledger]
kind = "files"
path = "data"
interval = 0.2
backup = {{ every = "1h" }}

[agents.deaf]
command = [{{python}}, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
stop = {{ timeout = 60 }}

[agents.polite]
command = ["sleep", "1000"]
"""
# A program that gets a copy of each backup, and takes for ever: it says who it is, and has a helper.
RESTIC = """#!/bin/sh
sleep 1000 &
echo "$$ $!" > "$0.began"
wait
"""
# What each of those that are asked is asked for first: by then all of them wait for an answer.
ASKED = {
    "Telegram": f"POST /bot{TOKEN}/",
    "the gateway": "POST /push",
    "the webhook": "POST /hook",
    "Apprise": "POST /apprise",
    "Render": "GET /v1/services/srv-far",
    "an HTTP check": "GET /far",
}


@dataclass
class Deaf:
    """A peer that takes every connection, and reads, and never says a word."""

    port: int
    connections: list[socket.socket] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """The first line of each request."""

    def missing(self) -> list[str]:
        """Who has not asked yet."""
        return [who for who, line in ASKED.items() if not any(one.startswith(line) for one in list(self.heard))]

    def take(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = server.accept()[0]
                self.connections.append(connection)
                Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            data = connection.recv(65536)
            self.heard.append(data.partition(b"\r\n")[0].decode(errors="replace"))
            while connection.recv(65536):
                pass


@contextlib.contextmanager
def deaf_peer() -> Iterator[Deaf]:
    with socket.create_server((LOOPBACK, 0), backlog=64) as server:
        peer = Deaf(server.getsockname()[1])
        Thread(target=peer.take, args=(server,), daemon=True).start()
        try:
            yield peer
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for one in peer.connections:
                one.close()


def prepared(place: House, peer: Deaf) -> None:
    """Data to back up, the program that takes the backup and hangs, and who is to be told."""
    url = f"http://127.0.0.1:{peer.port}"
    restic = place.folder / "bin" / "restic"
    restic.parent.mkdir()
    restic.write_text(RESTIC)
    restic.chmod(0o700)
    (place.folder / "password").write_text("x")
    (place.folder / "data").mkdir()
    (place.folder / "data" / "one.txt").write_text("a line\n" * 2000)
    place.environment |= {
        "PATH": f"{restic.parent}:{place.environment['PATH']}",
        "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": str(CHAT), "TELEGRAM_API_URL": url,
        "RENDER_API_KEY": "rnd_x", "RENDER_API_URL": f"{url}/v1", "SELFHEAL_GATEWAY_TOKEN": "x" * 32,
    }  # fmt: skip


def under_way(place: House, peer: Deaf) -> list[int]:
    """Wait until all of it is; returns the processes of the backup's program."""
    began = place.folder / "bin" / "restic.began"
    until(lambda: began.exists() and began.read_text().strip(), what=lambda: place.log)
    assert [one.text("job") for one in place.get("jobs").parts("items")] == ["backup"]

    def at_work() -> bool:
        attempts = [one for incident in place.incidents("site") for one in incident.parts("attempts")]
        return any(one.text("fix") == "slow" and not one.text("ended_at") for one in attempts)

    until(at_work, what=lambda: place.log)
    until(lambda: not peer.missing(), 30.0, lambda: (peer.missing(), peer.heard, place.log))
    return [int(word) for word in began.read_text().split()]


@pytest.mark.timeout(150)
def test_with_everything_under_way_and_every_peer_deaf_it_ends_in_time_and_whole() -> None:
    with deaf_peer() as peer, house() as place:
        prepared(place, peer)
        place.boot(FLEET.format(deaf=peer.port))
        doors = (place.port, place.port, place.state_dir / "selfheal.sock", place.state_dir / "selfheal.sock")
        streams = [Stream(door, 0) for door in doors]
        assert all(stream.began.wait(5.0) for stream in streams)
        follows = place.begin("logs", "deaf", "-f")
        helpers = under_way(place, peer)
        known = {one.text("id") for one in place.incidents()}

        began = CLOCK.monotonic()
        assert place.stop(30.0) == 0
        took_s = CLOCK.monotonic() - began
        assert took_s < STOP_TIMEOUT_S, f"{took_s:.1f} s: {[one.raw for one in place.logged('stop.failed')]}"

        assert place.marked() == []
        until(lambda: not any(map(_lives, helpers)), 1.0, lambda: "the program that got the backup lives on")
        for stream in streams:
            stream.join(1.0)
            assert stream.ended == "cleanly"
        assert follows.wait() in (0, 4)
        assert place.daemon.err.read_text() == ""
        assert place.logged("stop.failed") == []

        told = max(number for stream in streams for number in stream.told)
        assert_whole(place, told)
        place.boot()
        assert place.logged("state.damaged") == []
        assert known <= {one.text("id") for one in place.incidents()}
        outcomes = [one.text("outcome") for one in place.incidents("site")[0].parts("attempts")]
        assert "interrupted" in outcomes
        assert place.stop(30.0) == 0


def assert_whole(place: House, told: int) -> None:
    """The journal has every record from its first on, all that was shown, and the stop as its last word."""
    frames = [frame for file in segments(place.state_dir / "journal") for frame in scan(file.read_bytes())]
    assert all(isinstance(frame, Frame) and not frame.hole for frame in frames), frames
    whole = [frame for frame in frames if isinstance(frame, Frame)]
    assert [frame.seq for frame in whole] == list(range(whole[0].seq, whole[0].seq + len(whole)))
    assert whole[-1].seq >= told
    assert isinstance(decode(whole[-1].payload), DaemonStopped)


def _lives(pid: int) -> bool:
    try:
        return proc.stat(pid).alive
    except ProcessLookupError:
        return False
