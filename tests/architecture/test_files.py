"""Is there nothing in the files that ties the project to one machine or one index of packages?"""

from __future__ import annotations

import re

from benchmarks.table import README, TABLES, parted
from tests.architecture.tree import ROOT, files

# One letter of each stands in brackets, so that this file does not hold what it looks for.
ELSEWHERE = re.compile(
    rb"(?<![\w./-])/(?:wor[k]|roo[t])/"  # a path of the machine that something was written on
    rb"|pypi[.]org|pythonhoste[d]|registry[.]npmjs|proxy[.]golang"
)


def test_no_file_names_a_place_that_only_its_author_has() -> None:
    naming = [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
        for path in files()
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if ELSEWHERE.search(line)
    ]
    assert naming == []


def test_the_locks_hold_versions_and_hashes_and_no_address() -> None:
    pinned = re.compile(r"[a-z0-9][a-z0-9-]*==\S+(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    locks = sorted(ROOT.glob("*.lock"))
    parts = ("", "-bench", "-build", "-dev", "-judges", "-lstm")
    assert {path.name for path in locks} == {f"requirements{part}.lock" for part in parts}
    strange = [
        f"{path.name}: {line}"
        for path in locks
        for line in path.read_text(encoding="utf-8").splitlines()
        if not pinned.fullmatch(line)
    ]
    assert strange == []


def test_the_locks_agree_on_every_version() -> None:
    versions: dict[str, set[str]] = {}
    for path in ROOT.glob("*.lock"):
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_readme_shows_the_results_that_are_kept() -> None:
    text = README.read_text(encoding="utf-8")
    shown = {name: parted(text, name)[1] for name in TABLES}
    assert shown == {name: table() for name, table in TABLES.items()}, (
        "write it again with 'python -m benchmarks.table'"
    )
