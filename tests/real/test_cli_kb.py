"""Can a person say on the command line what the cause of an incident was, and is that kept and counted?"""

from __future__ import annotations

import json

from selfheal.causes import CLASSES
from tests.real.daemon_process import House, house, until

FLEET = """
[agents.site]
kind = "service"
checks = [{ command = ["test", "-e", "well"], interval = 0.1, fall = 1, rise = 1 }]
"""


def diagnosed(place: House) -> bool:
    return [one.text("cause") for one in place.incidents("site")] == ["wrong_answer"]


def test_a_cause_is_confirmed_corrected_listed_and_counted() -> None:
    with house() as place:
        place.boot(FLEET)
        assert "Nobody has said" in place.say("kb", "labels").err
        until(lambda: diagnosed(place))
        assert place.say("kb", "confirm", "1").err == "incident inc-1: the cause is right\n"
        assert "label     right, says " in place.say("why", "site").out
        assert place.get("scorecard").part("rca_accuracy").raw["value"] == 1.0
        assert place.say("kb", "correct", "1", "disk_full").err == "incident inc-1: the cause was disk_full\n"
        listed = place.say("kb", "labels").out
        assert ("wrong answer" in listed, "disk full" in listed) == (True, True)
        assert place.get("scorecard").part("rca_accuracy").raw["value"] == 0.0
        assert place.say("kb", "correct", "1").err == "incident inc-1: the cause is not right\n"


def test_what_cannot_be_said_is_refused_with_what_can() -> None:
    with house() as place:
        place.boot(FLEET)
        until(lambda: diagnosed(place))
        unknown = place.say("kb", "correct", "1", "disc_full")
        assert (unknown.code, "is 'disk_full' meant?" in unknown.err) == (1, True)
        nowhere = place.say("kb", "correct", "1", "slow", "--agent", "nobody")
        assert (nowhere.code, "cannot find agent 'nobody'" in nowhere.err) == (1, True)
        missing = place.say("kb", "confirm", "99")
        assert (missing.code, "cannot find incident 'inc-99'" in missing.err) == (1, True)
        assert place.incidents("site")[0].raw["label"] is None


def test_every_cause_is_listed_with_what_helps_and_where_to_look() -> None:
    with house() as place:
        listed = {one["cause"]: one for one in json.loads(place.say("kb", "causes", "--json").out)}
        assert listed.keys() == CLASSES.keys()
        assert listed["traffic_surge"]["fixes"] == ["scale_up", "shed_load", "scale_service"]
        assert (listed["memory_leak"]["cured_by_restart"], listed["memory_leak"]["fixes"][0]) == (True, "restart")
        assert (listed["tls_expired"]["cured_by_restart"], listed["tls_expired"]["fixes"]) == (False, ["reload"])
        assert listed["corrupted"]["layer"] == "data"
        table = place.say("kb", "causes").out
        assert "whether it was changed, revoked, or has expired" in table
