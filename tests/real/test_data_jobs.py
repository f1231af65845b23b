"""Does each job on data do what it says, in process and in a child of its own?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.data.backup import Backup, Keep
from selfheal.data.files import FilesAsset
from selfheal.data.jobs import (
    Accept,
    AnyJob,
    BackUp,
    Examine,
    Prepare,
    Prepared,
    Swap,
    Verify,
    answer_of,
    decode,
    encode,
)
from selfheal.data.own import OWN, own_state
from selfheal.data.sinks import Restic
from selfheal.data.vault import Vault
from selfheal.data.work import run
from selfheal.errors import DataFailed
from tests.real.vaults import NOW, content, furnish, old, pieces

KEEP = Keep()

HOLD = """
import sys
from pathlib import Path
from selfheal.data.scratch import scratch

with scratch(Path(sys.argv[1])) as place:
    (place / "x").touch()
    print(place, flush=True)
    sys.stdin.read()
"""


class Place:
    """Data with their room and vault, and the jobs on them."""

    def __init__(self, tmp_path: Path) -> None:
        self.data, self.room, self.vault = (tmp_path / name for name in ("data", "room", "vault"))
        self.asset = FilesAsset(agent="docs", path=furnish(self.data))

    def back_up(self, now: float = NOW, keep: Keep = KEEP) -> Backup:
        answer = run(BackUp(asset=self.asset, room=self.room, now=now, vault=self.vault, keep=keep))
        assert isinstance(answer, Backup)
        return answer

    def verify(self, backup: str = "newest", now: float = NOW) -> Backup:
        answer = run(Verify(asset=self.asset, room=self.room, now=now, vault=self.vault, backup=backup))
        assert isinstance(answer, Backup)
        return answer

    def prepare(self, source: str = "newest") -> Prepared:
        job = Prepare(asset=self.asset, room=self.room, now=NOW, vault=self.vault, ticket="t1", source=source)
        answer = run(job)
        assert isinstance(answer, Prepared)
        return answer

    def swap(self) -> None:
        run(Swap(asset=self.asset, room=self.room, now=NOW, ticket="t1"))

    def examine(self) -> str:
        answer = run(Examine(asset=self.asset, room=self.room, now=NOW, thorough=True))
        return getattr(answer, "reason", "?")

    def write(self, text: str, at: float = NOW) -> None:
        (self.data / "lines.log").write_text(text)
        old(self.data / "lines.log", at)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_backup_counts_once_it_was_restored_and_proved(place: Place) -> None:
    backup = place.back_up()
    assert backup.counts
    assert backup.told == ()
    assert [one.id for one in Vault(place.vault).backups("docs")] == [backup.id]
    assert sorted(path.name for path in place.room.iterdir()) == []


def test_nothing_is_stored_while_nothing_is_written(place: Place) -> None:
    first = place.back_up()
    again = place.back_up(NOW + 3600)
    assert (again.id, again.unchanged_at) == (first.id, NOW + 3600)
    place.write("something")
    other = place.back_up(NOW + 7200)
    assert (other.id != first.id, other.unchanged_at) == (True, None)


def test_what_is_too_old_is_dropped(place: Place) -> None:
    for hour in range(4):
        place.write(str(hour))
        place.back_up(NOW + hour * 3600, Keep(2, 0, 0, 0))
    assert [one.at for one in Vault(place.vault).backups("docs")] == [NOW + 2 * 3600, NOW + 3 * 3600]


def test_a_damaged_piece_in_the_vault_is_replaced_by_the_backup_that_would_have_used_it(place: Place) -> None:
    first = place.back_up()
    pieces(place.vault)[0].write_bytes(b"pnonsense")
    place.write("something")
    second = place.back_up(NOW + 1)
    assert second.counts
    assert second.told == ("a damaged piece in the vault was replaced by a sound one",)
    assert place.verify(second.id).counts
    assert [one.id for one in Vault(place.vault).backups("docs") if one.counts][-1] == second.id
    assert first.id != second.id


def test_a_damaged_backup_counts_no_more_until_it_is_proved_again(place: Place) -> None:
    backup = place.back_up()
    largest = pieces(place.vault)[0]
    sound = largest.read_bytes()
    largest.write_bytes(b"pnonsense")
    with pytest.raises(DataFailed, match=f"cannot rely on the backup {backup.id} of docs") as failed:
        place.verify("any")
    assert failed.value.cause == "corrupted"
    assert not Vault(place.vault).backups("docs")[0].counts
    with pytest.raises(DataFailed, match="there is no backup"):
        place.prepare()
    largest.write_bytes(sound)
    assert place.verify(backup.id).counts


def test_a_look_that_could_not_be_had_damages_no_backup(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = place.back_up()

    def full(*words: object) -> None:
        raise DataFailed("cannot restore: the disk is full", "disk_full")

    monkeypatch.setattr("selfheal.data.vault.claim", full)
    with pytest.raises(DataFailed, match="disk is full"):
        place.verify()
    assert Vault(place.vault).backups("docs")[0].id == backup.id
    assert Vault(place.vault).backups("docs")[0].counts


def test_only_the_damaged_file_is_put_back_and_all_where_one_is_named(place: Place) -> None:
    before = content(place.data)
    first = place.back_up()
    place.write("newer", NOW + 3600)
    assert place.examine() == ""
    (place.data / "pages.db").write_bytes(b"\0" * 300_001)
    old(place.data / "pages.db", NOW + 3600)
    assert "nothing but zeros" in place.examine()
    assert "1 of 8 files" in place.prepare().note
    place.swap()
    assert (place.data / "lines.log").read_text() == "newer"
    assert (place.data / "pages.db").read_bytes() == before["pages.db"][3]  # type: ignore[index]
    assert place.examine() == ""
    assert place.prepare(first.id).note == ""
    place.swap()
    assert content(place.data) == before


def test_what_is_salvaged_must_not_be_less_than_the_backup(place: Place) -> None:
    place.back_up()
    place.examine()
    (place.data / "pages.db").write_bytes(b"\0" * 300_001)
    old(place.data / "pages.db")
    with pytest.raises(DataFailed, match="can be salvaged holds less than the backup"):
        place.prepare("salvage")


def test_progress_goes_forward_from_begin_to_end(place: Place) -> None:
    told: list[float] = []
    run(
        BackUp(asset=place.asset, room=place.room, now=NOW, vault=place.vault),
        lambda doing, share: told.append(share),
    )
    assert told == sorted(told)
    assert told[0] < 0.5
    assert told[-1] > 0.85


def test_what_killed_jobs_left_is_swept_and_what_others_use_is_not(place: Place) -> None:
    alive, dead = (
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(place.room)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    )
    folders = [Path(child.stdout.readline().strip()) for child in (alive, dead) if child.stdout]
    dead.kill()
    dead.communicate()
    place.back_up()
    assert [folder.exists() for folder in folders] == [True, False]
    alive.communicate()
    assert not folders[0].parent.exists()


def child(job: AnyJob, *, progress: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    own = {"SELFHEAL_JOB": encode(job).decode()} | ({"SELFHEAL_JOB_PROGRESS": str(progress)} if progress else {})
    return subprocess.run(
        [sys.executable, "-m", "selfheal.data"], env={**os.environ, **own}, capture_output=True, check=True
    )


def test_every_job_is_done_in_a_child_as_well(place: Place, tmp_path: Path) -> None:
    rest = {"asset": place.asset, "room": place.room, "now": NOW}
    jobs: list[AnyJob] = [
        Examine(**rest),  # type: ignore[arg-type]
        BackUp(**rest, vault=place.vault),  # type: ignore[arg-type]
        Verify(**rest, vault=place.vault),  # type: ignore[arg-type]
        Prepare(**rest, vault=place.vault, ticket="t1"),  # type: ignore[arg-type]
        Swap(**rest, ticket="t1"),  # type: ignore[arg-type]
        Accept(**rest),  # type: ignore[arg-type]
    ]
    for job in jobs:
        assert decode(encode(job)) == job
        ended = child(job, progress=tmp_path / "progress")
        assert ended.stderr == b""
        assert answer_of(job, ended.stdout) is not None
    assert b'"share"' in (tmp_path / "progress").read_bytes()


def test_a_child_that_fails_or_dies_is_told_with_the_cause(place: Place) -> None:
    job = Examine(asset=FilesAsset(agent="docs", path=place.data), room=place.room, now=NOW)
    gone = BackUp(asset=FilesAsset(agent="docs", path=place.data / "no"), room=place.room, now=NOW, vault=place.vault)
    with pytest.raises(DataFailed, match="there is no") as failed:
        answer_of(gone, child(gone).stdout)
    assert failed.value.cause == "missing_data"
    with pytest.raises(DataFailed, match="its process died"):
        answer_of(job, b"")


def test_no_secret_is_in_what_a_job_shows(place: Place) -> None:
    sink = Restic(
        repository="rest:http://me:hush-hush@127.0.0.1:1/", password_file=place.room / "no", environment={"K": "hushed"}
    )
    job = BackUp(asset=place.asset, room=place.room, now=NOW, vault=place.vault, sinks=(sink,))
    ended = child(job)
    assert b"hush" not in ended.stdout + ended.stderr
    assert "hush" not in repr(job)
    assert answer_of(job, ended.stdout).counts


def test_own_state_is_backed_up_without_what_is_of_one_run_or_secret(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("journal/1.log", "metrics.json", "key", "lock", "logs/api.log", "backups/objects/ab/x", "a.damaged-1"):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text("content")
    asset = own_state(state, state / "elsewhere")
    (tmp_path / "copy").mkdir()
    assert asset.capture(tmp_path / "copy").counts["files"] == 2
    assert asset.agent == OWN
