"""Does a vault give back what was put into it, keep it once, and notice every byte that is not what it was?"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.data.asset import Proof
from selfheal.data.chunks import cut
from selfheal.data.vault import Vault
from selfheal.errors import DataFailed
from tests.real.vaults import NOW, PROOF, content, furnish, pieces, stored

BYTES = st.one_of(
    st.binary(max_size=300_000),
    st.lists(st.binary(max_size=60).map(lambda part: part.replace(b"\0", b"")), max_size=3000).map(b"\n".join),
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return furnish(tmp_path / "source")


def taken(vault: Path, tmp_path: Path, name: str = "taken") -> dict[str, object]:
    into = tmp_path / name
    into.mkdir()
    Vault(vault).take(Vault(vault).backups("ledger")[-1], into)
    return content(into)


def test_all_comes_back_as_it_was(source: Path, tmp_path: Path) -> None:
    stored(tmp_path / "vault", source)
    assert taken(tmp_path / "vault", tmp_path) == content(source)
    assert (tmp_path / "taken" / "hole").stat().st_blocks * 512 < 1_000_000


def test_what_is_there_already_is_not_stored_again(source: Path, tmp_path: Path) -> None:
    first, second = (stored(tmp_path / "vault", source, NOW + at) for at in (0, 60))
    assert (first.size, second.stored) == (second.size, 0)
    assert 0 < first.stored < first.size
    with (source / "lines.log").open("ab") as log:
        log.write(b"one line more\n")
    third = stored(tmp_path / "vault", source, NOW + 120)
    assert 0 < third.stored < first.stored / 2


def test_two_backups_of_one_second_have_names_that_sort(source: Path, tmp_path: Path) -> None:
    made = [stored(tmp_path / "vault", source) for _ in range(11)]
    assert [one.id for one in Vault(tmp_path / "vault").backups("ledger")] == [one.id for one in made]
    assert (made[0].id, made[1].id) == ("20231114T221320Z", "20231114T221320Z-2")


def test_nobody_else_may_read_it(source: Path, tmp_path: Path) -> None:
    stored(tmp_path / "vault", source)
    open_to_others = [path for path in (tmp_path / "vault").rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []


@settings(max_examples=40, deadline=None)
@given(BYTES)
def test_the_pieces_of_a_file_are_all_of_it(data: bytes) -> None:
    with TemporaryDirectory() as name:
        path = Path(name, "file")
        path.write_bytes(data)
        with path.open("rb") as file:
            whole = b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in cut(file.fileno()))
    assert whole == data


def test_a_line_put_in_at_the_begin_leaves_later_pieces_as_they_were(source: Path, tmp_path: Path) -> None:
    log = source / "lines.log"
    log.write_bytes(log.read_bytes() * 4)
    first = stored(tmp_path / "vault", source)
    log.write_bytes(b"put in\n" + log.read_bytes())
    assert stored(tmp_path / "vault", source, NOW + 1).stored < first.stored / 4


def test_any_flipped_byte_of_any_piece_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content " * 40)
    stored(tmp_path / "vault", tmp_path / "source")
    (piece,) = pieces(tmp_path / "vault")
    sound = piece.read_bytes()
    for place in range(len(sound)):
        piece.write_bytes(bytes((*sound[:place], sound[place] ^ 0x10, *sound[place + 1 :])))
        with pytest.raises(DataFailed, match="damaged, and was set aside") as failed:
            taken(tmp_path / "vault", tmp_path, f"into-{place}")
        assert failed.value.cause == "corrupted"
        assert not piece.exists()


@pytest.mark.parametrize("harm", ["cut short", "emptied", "gone", "another one"])
def test_a_harmed_piece_is_stored_anew_by_the_next_backup(harm: str, source: Path, tmp_path: Path) -> None:
    stored(tmp_path / "vault", source)
    first, second = pieces(tmp_path / "vault")[:2]
    harms = {"cut short": first.read_bytes()[:99], "emptied": b"", "gone": None, "another one": second.read_bytes()}
    first.unlink()
    if (data := harms[harm]) is not None:
        first.write_bytes(data)
    with pytest.raises(DataFailed):
        taken(tmp_path / "vault", tmp_path, "bad")
    stored(tmp_path / "vault", source, NOW + 1)
    assert taken(tmp_path / "vault", tmp_path) == content(source)


def test_with_doubt_a_damaged_piece_is_replaced_though_nobody_has_noticed_it(source: Path, tmp_path: Path) -> None:
    stored(tmp_path / "vault", source)
    pieces(tmp_path / "vault")[0].write_bytes(b"pnonsense")
    again = Vault(tmp_path / "vault").store("ledger", "files", source, PROOF, NOW + 1, doubt=True)
    assert again.stored > 0
    assert taken(tmp_path / "vault", tmp_path) == content(source)


@pytest.mark.parametrize("suffix", [".json", ".files"])
def test_a_damaged_manifest_is_said_and_nothing_is_collected(suffix: str, source: Path, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    kept, other = stored(tmp_path / "vault", source), stored(tmp_path / "vault", source, NOW + 1)
    manifest = tmp_path / "vault" / "backups" / "ledger" / f"{kept.id}{suffix}"
    manifest.write_bytes(manifest.read_bytes().replace(b"lines.log", b"lines.lag").replace(b"ledger", b"ladger"))
    before = pieces(tmp_path / "vault")
    with pytest.raises(DataFailed, match=f"cannot free space.*{kept.id}"):
        vault.forget([other])
    assert pieces(tmp_path / "vault") == before
    assert [one.id for one in vault.backups("ledger")] == [kept.id]
    if suffix == ".json":
        (said,) = vault.backups("ledger")
        assert "its manifest cannot be read" in said.damaged
        assert (said.at, said.counts) == (NOW, False)


def test_a_damaged_manifest_cannot_lead_out_of_the_folder(source: Path, tmp_path: Path) -> None:
    backup = stored(tmp_path / "vault", source)
    with pytest.raises(DataFailed, match="no id"):
        Vault(tmp_path / "vault").take(type(backup)("../x", "ledger", "files", NOW, 1, 1, PROOF), tmp_path)
    with pytest.raises(DataFailed, match="no name"):
        Vault(tmp_path / "vault").backups("../ledger")


def test_only_what_no_backup_needs_is_collected(source: Path, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    first = stored(tmp_path / "vault", source)
    (source / "pages.db").write_bytes(b"\0" + os.urandom(200_000))
    second = stored(tmp_path / "vault", source, NOW + 1)
    alien = stored(tmp_path / "vault", source, NOW + 2, agent="other")
    assert vault.forget([first]) > 250_000
    assert taken(tmp_path / "vault", tmp_path) == content(source)
    assert vault.forget([second]) == 0  # the other agent's has it all
    assert vault.forget([alien]) > 0
    assert pieces(tmp_path / "vault") == []


def test_marks_are_kept_and_a_backup_that_is_gone_stays_gone(source: Path, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    backup = vault.store("ledger", "files", source, PROOF, NOW)
    assert not vault.backups("ledger")[0].counts
    assert vault.mark_verified(backup, NOW).counts
    vault.mark_damaged(backup, "a person said so", NOW)
    assert [one.counts for one in vault.backups()] == [False]
    vault.forget([backup])
    with pytest.raises(DataFailed, match="not there any more"):
        vault.mark_verified(backup, NOW)
    assert vault.backups() == []


def test_what_is_counted_in_whole_numbers_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").write_bytes(b"1")
    vault = Vault(tmp_path / "vault")
    vault.store("ledger", "sqlite", source, Proof(NOW, {"orders": 3}), NOW)
    (found,) = vault.backups("ledger")
    assert (found.damaged, found.proof.counts) == ("", {"orders": 3})
