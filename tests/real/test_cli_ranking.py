"""Is it told who is suspected, by what, and what there was nothing of: on the command line, by the API, in files?"""

from __future__ import annotations

import json

from tests.real.daemon_process import House, house, until

FLEET = """
[agents.db]
kind = "service"
checks = [{ command = ["test", "-e", "db"], interval = 0.1, fall = 1, rise = 1 }]

[agents.site]
kind = "service"
depends_on = ["db"]
checks = [{ command = ["test", "-e", "site"], interval = 0.1, fall = 1, rise = 1 }]
"""


def ranked(place: House) -> bool:
    found = place.incidents("site")
    return bool(found) and place.get(f"incidents/{found[0].text('id')}").part("ranking").text("verdict") != ""


def test_why_says_who_is_suspected_and_what_was_looked_at() -> None:
    with house() as place:
        for name in ("db", "site"):
            (place.folder / name).touch()
        place.boot(FLEET)
        until(lambda: all(one.text("state") == "healthy" for one in place.get("agents").parts("items")))
        (place.folder / "site").unlink()
        until(lambda: ranked(place))
        told = place.say("why", "site").out
        assert "suspects  site (" in told
        assert "looked at by " in told
        assert "lacking   " in told
        assert "edge_gap (no spans)" in told
        assert "where it lies, by " in told
        report = place.get("rca").parts("items")[0]
        assert report.part("ranking").parts("suspects")[0].text("agent") == "site"
        assert place.get("rca").raw["weights"] is None
        assert "those that were shipped" in place.say("kb", "weights").err
        assert json.loads(place.say("kb", "weights", "--json").out) is None
        file = place.state_dir / "rca_reports.json"
        until(lambda: file.exists() and '"edge_gap"' in file.read_text())
