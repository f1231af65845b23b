"""Does a daemon start from a damaged state, say what it found, keep it, and make good what can be made good?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from selfheal.store.migrations import MIGRATIONS, Migration, migrate
from tests.real.daemon_process import House, Stream, house, until

FLEET = """
[agents.one]
command = ["sleep", "1000"]
checks = [{ process = true, interval = 0.2 }]
[agents.two]
kind = "service"
checks = [{ command = ["true"], interval = 0.2 }]
"""

VIEWS = (
    "self_healing_state.json",
    "agent_status.json",
    "failure_predictions.json",
    "anomaly_detections.json",
    "rca_knowledge_base.json",
    "rca_reports.json",
    "fix_history.json",
    "fix_success_rates.json",
    "recovery_strategies.json",
    "maintenance_schedule.json",
    "metrics.json",
    "traces.json",
)


def views(place: House) -> dict[str, dict[str, object]]:
    return {name: json.loads((place.state_dir / name).read_text()) for name in VIEWS}


def lived(place: House) -> None:
    """Let a daemon live for a moment and stop it."""
    place.boot(FLEET)
    place.until_state("healthy")
    assert place.stop() == 0


def flip(path: Path, place: float) -> None:
    """Flip a bit of a file at this share of its length."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)


def said(place: House) -> list[tuple[str, str]]:
    """What was found damaged, as the log has it: the file, and what is wrong with it."""
    found = place.logged("state.damaged")
    assert all(entry.text("level") == "warning" and entry.text("lost") for entry in found)
    return [(entry.text("file"), entry.text("what").partition(":")[0]) for entry in found]


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ".damaged-" in path.name)


def are_whole(place: House) -> None:
    """Every view is there, current and readable by a person, and nothing of the state is open to others."""
    for name, view in views(place).items():
        assert view["schema_version"] == 1, name
        assert str(view["updated_at"]).endswith("Z"), name
        assert "\n  " in (place.state_dir / name).read_text(), name
    for path in (place.state_dir, *place.state_dir.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 == wanted, path


def test_all_views_are_there_after_the_first_run_and_nobody_else_may_read_them() -> None:
    with house(FLEET) as place:
        until(lambda: all((place.state_dir / name).exists() for name in VIEWS))
        are_whole(place)
        for name in ("journal", "logs"):
            assert (place.state_dir / name).is_dir()


def test_damaged_views_are_kept_told_and_built_again() -> None:
    with house() as place:
        lived(place)
        before = views(place)
        garbage = {VIEWS[0]: b"", VIEWS[1]: b"\x00" * 4096, VIEWS[2]: b"[1, 2", VIEWS[3]: b'{"schema_version": 1}'}
        for name, content in garbage.items():
            (place.state_dir / name).write_bytes(content)
        for name in VIEWS[4:9]:
            flip(place.state_dir / name, 0.5)
        for name in VIEWS[9:]:
            (place.state_dir / name).unlink()
        place.boot()
        until(lambda: all((place.state_dir / name).exists() for name in VIEWS), 10.0)
        assert {file for file, _ in said(place)} == set(VIEWS)
        assert {name.partition(".damaged-")[0] for name in kept(place.state_dir)} == set(VIEWS[:9])
        alerts = [one.text("text") for one in place.get("summary").parts("alerts")]
        assert all(any(name in text for text in alerts) for name in VIEWS)
        until(lambda: place.agent("one").text("state") == "healthy")
        assert place.stop() == 0
        are_whole(place)
        after = views(place)
        assert {name: set(view) for name, view in after.items()} == {name: set(view) for name, view in before.items()}
        lived(place)
        assert said(place) == [], "what was told once is mended"


def test_a_damaged_journal_costs_just_the_records_that_were_hit() -> None:
    with house() as place:
        place.boot(FLEET)
        for _ in range(20):
            assert place.order("pause", {"agent": "one"}).status == 200
        place.until_state("healthy")
        stream = Stream(place.port, 0)
        until(lambda: len(stream.told) > 20)
        place.daemon.kill()
        stream.join()
        (segment,) = (place.state_dir / "journal").glob("*.log")
        flip(segment, 0.5)
        with segment.open("r+b") as file:
            file.truncate(segment.stat().st_size - 5)
        place.boot()
        assert [file for file, _ in said(place)] == [segment.name] * 2
        assert said(place)[1][1] == "torn tail"
        assert len(kept(segment.parent)) == 1
        again = Stream(place.port, 0)
        until(lambda: max(again.told, default=0) > max(stream.told))
        lost = {number for number, told in stream.told.items() if again.told.get(number) != told}
        assert 1 <= len(lost) <= 2, "one for the bit, and the torn one"
        until(lambda: place.get("summary").part("agents").count("total") == 2)
        place.until_state("healthy")
        assert place.stop() == 0
        are_whole(place)
        place.boot()
        assert said(place) == []


def test_a_damaged_key_ends_the_logins_and_is_told() -> None:
    with house() as place:
        lived(place)
        key = place.state_dir / "key"
        key.write_bytes(key.read_bytes()[:7])
        place.state_dir.chmod(0o755)
        (place.state_dir / "journal").chmod(0o755)
        lived(place)
        assert said(place) == [("key", "it holds 7 bytes, not 32")]
        assert len(kept(place.state_dir)) == 1
        are_whole(place)
        lived(place)
        assert said(place) == []


def test_a_state_directory_of_which_nothing_but_the_journal_is_left_is_complete_again() -> None:
    with house() as place:
        lived(place)
        for path in place.state_dir.iterdir():
            if path.is_file():
                path.unlink()
        lived(place)
        are_whole(place)
        assert said(place) == []
        assert place.logged("daemon.started")


def test_of_a_journal_that_is_gone_the_state_files_tell_how_much_is_lost() -> None:
    with house() as place:
        lived(place)
        shown = max(int(str(view["events"])) for view in views(place).values())
        shutil.rmtree(place.state_dir / "journal")
        place.boot()
        (told,) = place.logged("state.damaged")
        assert told.text("what") == f"records 1 to {shown} are missing"
        assert told.text("lost") == f"events 1 to {shown}"
        stream = Stream(place.port, 0)
        until(lambda: len(stream.told) > 1)
        assert min(stream.told) > shown, "no number is given twice"
        place.until_state("healthy")
        assert place.stop() == 0
        place.boot()
        assert said(place) == []


def test_a_snapshot_that_is_damaged_costs_nothing() -> None:
    with house() as place:
        lived(place)
        lived(place)
        newest = max((place.state_dir / "journal").glob("*.snapshot"))
        flip(newest, 0.5)
        place.boot()
        assert said(place) == [(newest.name, "its checksum does not match")]
        assert len(kept(newest.parent)) == 1
        place.until_state("healthy")
        assert place.get("summary").part("agents").count("total") == 2


def test_a_directory_of_a_newer_version_is_refused_and_not_touched() -> None:
    with house() as place:
        lived(place)
        newer = max(MIGRATIONS) + 2
        migrate(place.state_dir, 0.0, dict.fromkeys(range(1, newer), Migration("of a newer version")))
        before = untouched(place.state_dir)
        ended = place.begin("run", "--config", "selfheal.toml").ended()
        assert ended.code == 1
        assert f"it is of schema {newer}, which a newer version of selfheal has made" in ended.err
        assert untouched(place.state_dir) == before


def untouched(folder: Path) -> dict[Path, int]:
    """When each file was changed, but for the lock, which is signed."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "lock" and path.is_file()}
