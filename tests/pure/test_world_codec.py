"""Is a world that was written as bytes the same world again?"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.events import (
    AgentDeclared,
    AgentStarted,
    AnomalyOver,
    AnomalySeen,
    Event,
    FixEnded,
    FixStarted,
    IncidentOpened,
    Run,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.ledger import replay
from selfheal.world import EMPTY, World, fold
from selfheal.world.cases import state_of
from selfheal.world.codec import agrees, decode, encode
from selfheal.world.deaths import Deaths
from tests.pure.histories import histories

BEGIN = 1_800_000_000.0
STORY: tuple[Event, ...] = (
    AgentDeclared(BEGIN, "api", "process", "application", ("db",), ("http",), True),
    AgentStarted(BEGIN + 1, "api", Run(7, 1, BEGIN, 3, "boot"), "first"),
    IncidentOpened(BEGIN + 2, "i1", "api", "exit", "exited with code 1", BEGIN + 2),
    FixStarted(BEGIN + 3, "i1", 1, "restart", "application", "api", "crashed"),
    FixEnded(BEGIN + 4, "i1", 1, "succeeded", "done"),
    Verified(BEGIN + 9, "i1", 1, "succeeded", "", BEGIN + 5),
)
# Its world as the first version of the codec wrote it, each part after its length: never to be written anew.
FIRST_VERSION = (
    "c-oy+J&)r=81`}!l$>-RfoQg(Kk)~a0wgL5bW}*z#Pd2HWjtfejCYeRchaszgR;B)fGF!Yc5-_h`~oXm(os^}Z{Zoo$$E7hLgylxyzjhU&-1"
    ")a5Ck7zFVD1*yrff7&VCpK!IRFkVD8Va|NhIpI0^joMQ2`H$BZK$!X4Z{heWO0deh_1v^phYg;w*vjhjhma<zr+v(EOLbvnzCIg-SboZR)(W"
    "-PbFw+|{sOp=|#^m%7`EmS19A0*TnDdI<Pe$_b(&AEMkeZw-biVU*}@s**r-4|s-5|xk2m<dVTcmJ#lt7DB@Vwkv#O=gIT$YB;cU6SI&r!`Y"
    "LWm2G#SBGP0iBwP^el&gQKf_EirFMxA{iAyzHG}Ds&a}yqQwrdP%n#6FDI1c%`@ys85=V^a2YC~GStyp0KNlmR_$o6xB5RkDO~`CmmPrvY-|"
    "?CgAmKnpT`u^bj1r1Q_OeKv%PNujd&12&3A16B<L+fjsRmC{q{20IjNsj|@QJpSMGl@znpcX(&ePc}fv2OYMOCQb(t;6cW%L~LlxIvqI(KVr"
    "xSuf`Oy-AkPft}Wl<)*?Z;<r-CKLRlHHIeBj&ju3pwI2G+O)RN2~729HPG6Hf*1a~A6ZL13<oq6Dp(p~e6p=N4cL7KGDe$u_apMMo7a+AIK~"
    ")#<rRX-rscrs5vggJE1MgdRj~xx@XT((A<*YxuAGp~t)U2fg}W-VwN12X!LmU$Ko28q$Fz*a7_r;E&VNst091+rzAjIhXHKMaUMIw)OD3Vc$"
    "7_cxEGLh5mi_X2)ax^nGK`H*4*{#z<aBR?AN_P)AJ%6fp1uh_T?mfDvXz@xSSP&8c7>b~!y%c%qf%f$)F1vt{P;|`<T%otj-M{EDAZ8|j_Tb"
    "~9$15Er<cMz$`)%oEBvlBMWQ8dDnM%VDU%IWHTK9%E9M-f8QS=zRCzieb94jn_N)B1@bCLywiWiv|CWdv2ozN$jki_1++h#ImCjwHQ>twqMM"
    "UtHuw=O_xK>nQWkoC??b}!wXl1DNefY_4PUE`toBi#u_lkW-;0AMPdD`A>){v4$Ft~4O^6x)@$G4l5%n&!A7~P--vv}E}B6j!Jt5@H3q<-Im"
    "f3fJHU+oEhK=b=hd$s;njDOex`tzcPXurg&qwYNk+mrJE%c}~7zwvCH_ci~oW&fMQtLn#&mW%#h-~Y|j!Tt^!{{j87B_s"
)


def orders(world: World) -> list[list[object]]:
    """What equality of mappings does not see, and the fold goes by."""
    return [list(world.agents), list(world.incidents), list(world.foresight.work), list(world.undelivered)]


@settings(max_examples=150)
@given(histories(max_size=60), st.data())
def test_a_world_is_the_same_after_it_was_bytes_and_goes_on_as_the_other(
    history: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    before = replay(history[:cut])
    restored = decode(encode(before))
    assert restored == before
    assert orders(restored) == orders(before)
    after = replay(history[cut:], restored)
    assert after == reduce(fold, history, EMPTY)
    assert orders(after) == orders(replay(history))


def _without_deaths(world: World) -> World:
    """Without how often agents died, which later versions count."""
    return replace(world, agents={name: replace(agent, deaths=Deaths()) for name, agent in world.agents.items()})


def test_what_the_first_version_wrote_is_read() -> None:
    """The journal before a snapshot may be gone: what cannot be read any more would be lost."""
    data, parts = zlib.decompress(base64.b85decode(FIRST_VERSION)), []
    while data:
        (length,) = struct.unpack_from(">I", data)
        parts.append(data[4 : 4 + length])
        data = data[4 + length :]
    read, now = decode(parts), replay(STORY)
    more: dict[str, Any] = {"odds": {}, "done": (), "changes": ()}  # which later versions know besides
    assert replace(_without_deaths(read), **more) == replace(_without_deaths(now), **more)
    assert {key: (one.helped, one.failed) for key, one in read.odds.items()} == {("api", "crashed", "restart"): (1, 0)}


@given(histories(max_size=20))
def test_each_part_agrees_with_its_world_and_no_other_world_agrees_with_all(history: list[Event]) -> None:
    world = replay(history)
    assert all(agrees(world, part) for part in encode(world))
    other = replace(world, starts=world.starts + 1)
    assert not all(agrees(other, part) for part in encode(world))


def test_anomalies_that_stood_within_what_is_foreseen_are_found_there() -> None:
    world = replay([AnomalySeen(BEGIN, "ano-7", "api", "rss", 2e8, 1e8, 0.7), AnomalyOver(BEGIN + 9, "ano-7")])
    parts = {msgspec.msgpack.decode(part)[1]: part for part in encode(world)}
    kept = msgspec.to_builtins(world.anomalies.known)
    parts["foresight"] = msgspec.msgpack.encode(("world", "foresight", {"anomalies": kept, "anomalies_seen": 1}))
    del parts["anomalies"]
    assert decode(parts.values()) == world


def test_work_that_an_earlier_version_had_planned_is_a_case_and_what_it_did_is_over() -> None:
    planned = [WorkPlanned(BEGIN, f"work-{number}", "api", "restart", BEGIN + 60, "rss grows") for number in (1, 2)]
    world = replay([*planned, WorkDone(BEGIN + 9, "work-1", "succeeded", "")])
    old = replace(world.foresight.work["work-1"], ended=None)
    foresight = replace(world.foresight, work={**world.foresight.work, "work-1": old})
    read = decode(part for part in encode(replace(world, foresight=foresight, cases={})))
    assert read.cases == {"work-2": world.cases["work-2"]}
    assert [state_of(read, one) for one in read.foresight.work.values()] == ["done", "planned"]


def test_nothing_is_known_of_no_parts() -> None:
    assert decode([]) == EMPTY


def test_what_a_newer_version_knows_besides_is_passed_over() -> None:
    part = msgspec.msgpack.encode(("world", "moons", 2))
    assert decode([*encode(EMPTY), part]) == EMPTY


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(("world", "starts", "many")),
        msgspec.msgpack.encode(("agents", "api", {"kind": "process"})),
        msgspec.msgpack.encode(("incidents", "inc-1", {"story": []})),
        msgspec.msgpack.encode(("incidents", "inc-1", {"story": [("Moonrise", {})]})),
    ],
)
def test_what_is_no_world_is_said(part: bytes) -> None:
    with pytest.raises(ValueError, match="what this version knows of the world"):
        decode([part])
