"""Is what stands in the file about data read as a person means it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.agents.files import FilesAgent
from selfheal.config.data import BackupConfig, data_of
from selfheal.config.load import Loaded, Overrides, load
from selfheal.data.own import OWN
from selfheal.errors import ConfigInvalid

AGENT = '[agents.docs]\nkind = "files"\npath = "docs"\n'


def read(text: str) -> Loaded:
    kinds = {kind.name: kind.model for kind in AGENT_KINDS}
    return load(Path("/fleet/selfheal.toml"), {}, Overrides(), kinds, {}, text=text)


def test_files_become_data_with_every_path_from_the_folder_of_the_file() -> None:
    text = AGENT + 'changes = "append"\nexclude = ["*.tmp"]\nbackup = { every = "1h", keep = { hourly = 3 } }\n'
    agent = read(text).config.agents["docs"]
    assert isinstance(agent, FilesAgent)
    asset = agent.asset("docs")
    assert (asset.agent, asset.path, asset.changes) == ("docs", Path("/fleet/docs"), "append")
    assert asset.exclude == ("*.tmp",)
    data = data_of(agent)
    assert data is not None
    assert data.backup is not None
    assert (data.backup.every, data.backup.keep.hourly, data.backup.keep.daily) == (3600.0, 3, 7)


def test_own_state_is_backed_up_each_day_unless_that_is_forbidden() -> None:
    assert read("").config.backup.own_state == BackupConfig(every=86_400.0)
    assert read("[backup]\nown_state = false\n").config.backup.own_state is False
    assert read('[backup]\nown_state = { every = "1h" }\n').config.backup.own_state == BackupConfig(every=3600.0)
    assert read('[backup]\ndirectory = "../vault"\n').config.backup.directory == Path("/fleet/../vault")


def test_the_password_file_of_a_sink_is_found_from_the_folder_of_the_file() -> None:
    restic = read('[backup]\nrestic = { repository = "/mnt/r", password_file = "pass" }\n').config.backup.restic
    assert restic is not None
    assert restic.password_file == Path("/fleet/pass")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AGENT + 'changes = "often"\n', "changes"),
        (AGENT + 'exclude = ["../x"]\n', "fits nothing in the folder"),
        (AGENT + 'include = [""]\n', "fits nothing in the folder"),
        ('[agents.docs]\nkind = "files"\n', "path"),
        ("[backup]\nown_state = true\n", "own_state"),
        ('[backup]\nborg = { repository = "fleet", password_file = "p" }\n', "from the root"),
        (f'[agents.{OWN}]\nkind = "files"\npath = "docs"\n', "cannot be the name of an agent"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        read(text)
