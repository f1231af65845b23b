"""Does a daemon end as it is told to, in time, whatever is under way?"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from threading import Thread

from tests.real.daemon_process import CLOCK, LOOPBACK, House, Stream, house, until
from tests.real.telegram_fake import CHAT, TOKEN

# Deaf to TERM, and ill: its file is older than its check allows, so that a fix is at it again and again.
DEAF = """
[daemon]
stop_timeout = 3
[guard]
attempts_per_hour = 0
verify = "1s"

[agents.deaf]
command = [{python}, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
checks = [{ command = ["test", "-e", "well"], interval = 0.1, fall = 1 }]
stop = { timeout = 60 }

[agents.polite]
command = ["sleep", "1000"]
"""
WELL = "well"


def ill(place: House) -> None:
    """Let the check of the deaf agent fail, and wait until a fix is at work on it."""
    (place.folder / WELL).unlink()

    def at_work() -> bool:
        attempts = [attempt for incident in place.incidents("deaf") for attempt in incident.parts("attempts")]
        return any(not one.text("ended_at") and not one.flag("reflex") for one in attempts)

    until(at_work, what=lambda: place.log)


def booted(place: House) -> None:
    (place.folder / WELL).touch()
    place.boot(DEAF)
    place.until_state("healthy")


def test_a_stop_in_the_middle_of_a_recovery_is_quick_and_complete() -> None:
    with house() as place:
        booted(place)
        streams = [Stream(place.port) for _ in range(3)]
        assert all(stream.began.wait(5.0) for stream in streams)
        ill(place)
        began = CLOCK.monotonic()
        assert place.stop() == 0
        assert CLOCK.monotonic() - began < 5.0
        assert place.marked() == []
        for stream in streams:
            stream.join(1.0)
            assert stream.ended == "cleanly"
        assert place.logged("daemon.stopped")
        assert place.daemon.err.read_text() == ""
        booted(place)
        assert [one.text("outcome") for one in place.incidents("deaf")[0].parts("attempts")][:1] == ["interrupted"]


EVERYTHING = """
[daemon]
stop_timeout = 4
gateway_url = "http://127.0.0.1:{deaf}"
[notify]
group = 0
webhook = "http://127.0.0.1:{deaf}/hook"
apprise = ["json://127.0.0.1:{deaf}/"]

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
checks = [{{ http = "http://127.0.0.1:{deaf}/", interval = 0.2, timeout = 60 }}]

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
"""


@contextlib.contextmanager
def deaf_peer() -> Iterator[tuple[int, list[socket.socket]]]:
    """Takes every connection and never says a word; its port, and who is connected."""
    with socket.create_server((LOOPBACK, 0), backlog=64) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        Thread(target=take, daemon=True).start()
        try:
            yield server.getsockname()[1], taken
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for one in taken:
                one.close()


def test_with_everything_under_way_and_every_peer_deaf_it_ends_in_time_and_whole() -> None:
    with deaf_peer() as (port, taken), house() as place:
        url = f"http://127.0.0.1:{port}"
        place.environment |= {
            "TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": str(CHAT), "TELEGRAM_API_URL": url,
            "RENDER_API_KEY": "rnd_x", "RENDER_API_URL": f"{url}/v1", "SELFHEAL_GATEWAY_TOKEN": "x" * 32,
        }  # fmt: skip
        (place.folder / "data").mkdir()
        for number in range(400):
            (place.folder / "data" / f"{number}.txt").write_text("a line\n" * 2000)
        deaf = DEAF.partition("[agents.deaf]")[2].replace("interval = 0.1, fall = 1", "interval = 0.5, fall = 2")
        place.boot(EVERYTHING.format(deaf=port) + "[agents.deaf]" + deaf)
        streams = [Stream(place.port) for _ in range(3)]
        assert all(stream.began.wait(5.0) for stream in streams)
        waits = place.begin("logs", "deaf", "-f")
        until(lambda: any(one.text("state") == "recovering" for one in place.incidents("site")), what=lambda: place.log)
        until(lambda: any(one.text("state") == "escalated" for one in place.incidents("lost")), what=lambda: place.log)
        until(lambda: len(taken) >= 5, what=lambda: f"{len(taken)} connections")
        known = place.get("summary").part("incidents").count("last_24h")
        began = CLOCK.monotonic()
        assert place.stop() == 0
        assert CLOCK.monotonic() - began < 8.0
        assert place.marked() == []
        for stream in streams:
            stream.join(1.0)
            assert stream.ended == "cleanly"
        assert waits.wait() in (0, 4)
        assert place.daemon.err.read_text() == ""
        place.start()
        until(lambda: place.ready)
        assert place.logged("state.damaged") == []
        assert place.get("summary").part("incidents").count("last_24h") >= known
        (cut,) = [one for one in place.incidents("site")[-1].parts("attempts") if one.text("fix") == "slow"][:1]
        assert cut.text("outcome") in ("interrupted", "failed")


def test_a_second_signal_ends_it_at_once_and_its_agents_with_it() -> None:
    with house() as place:
        booted(place)
        place.daemon.signal(signal.SIGTERM)
        until(lambda: place.logged("stop.asked"))
        began = CLOCK.monotonic()
        place.daemon.signal(signal.SIGTERM)
        assert place.daemon.wait() == 1
        assert CLOCK.monotonic() - began < 1.0
        until(lambda: not place.marked(), 1.0)


def test_ctrl_c_is_a_stop_like_any_other() -> None:
    with house('[agents.polite]\ncommand = ["sleep", "1000"]') as place:
        place.daemon.signal(signal.SIGINT)
        assert place.daemon.wait() == 0
        assert place.marked() == []
        place.boot()
        assert place.agent("polite").text("state") == "starting", "it is nobody's wish that it stays away"
