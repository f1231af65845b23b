"""Are models kept for nobody else to read, read back, and put aside where they are none?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.compose.models import MOST_MODELS, ModelFiles
from selfheal.ml.model import MOST_BYTES, encode
from tests.pure.forests import stored


def test_a_model_is_kept_for_the_user_alone_and_comes_back(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path / "models")
    assert files.load() == ({}, {})
    files.save("api:0", encode(stored("api:0")))
    (path,) = (tmp_path / "models").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    found, refused = files.load()
    assert found["api:0"].told == stored("api:0")
    assert refused == {}


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (encode(stored("api"))[:-1], "damaged"),
        (encode(stored("other")), "foreign"),
        (bytes(MOST_BYTES + 1), "huge"),
        (b"", "foreign"),
    ],
)
def test_what_is_no_model_of_this_agent_is_put_aside_and_costs_no_other(tmp_path: Path, data: bytes, slug: str) -> None:
    files = ModelFiles(tmp_path)
    files.save("api", data)
    files.save("db", encode(stored("db")))
    found, refused = files.load()
    assert list(found) == ["db"]
    assert {agent: why.slug for agent, why in refused.items()} == {"api": slug}
    assert (tmp_path / "api.refused").exists()
    assert files.load()[1] == {}
    files.forget("api")
    assert [path.name for path in tmp_path.iterdir()] == ["db.forest"]


def test_a_folder_in_place_of_a_file_is_put_aside_too(tmp_path: Path) -> None:
    (tmp_path / "api.forest").mkdir()
    assert ModelFiles(tmp_path).load()[1]["api"].slug == "unreadable"


def test_no_more_are_read_than_are_kept(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path)
    for number in range(MOST_MODELS + 2):
        files.save(f"a{number}", encode(stored(f"a{number}")))
    assert len(files.load()[0]) == MOST_MODELS
