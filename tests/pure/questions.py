"""Facts, packs and answers for the tests of what a language model is asked."""

from __future__ import annotations

import json
from random import Random

from selfheal.events import Cause
from selfheal.model.pack import Change, Facts, Option, Pack, Past, pack
from selfheal.telemetry.redact import redact_text

CAUSES = (
    Cause("wrong_answer", 0.4, "api", ("check http failed: status 500", "its log says 'boom'"), ("check", "log")),
    Cause("dependency_down", 0.3, "db", ("db, on which it depends, is unhealthy",), ("dependency",)),
    Cause("unknown", 0.2, "api"),
)
OPTIONS = (Option("restart", "application", 1, 0.7), Option("rollback", "infrastructure", 2, 0.4, "not sure enough"))


def facts(**more: object) -> Facts:
    told: dict[str, object] = {"causes": CAUSES, "options": OPTIONS, **more}
    return Facts("api", "check", "check http failed", **told)  # type: ignore[arg-type]


def rich(text: str) -> Facts:
    """Facts with `text` in every place where one can come from outside."""
    return Facts(
        agent="api", trigger="check", sign=text,
        causes=(Cause("crashed", 0.5, "api", (f"its log says {text!r}", text), ("log",)),),
        options=(Option("restart", "application", 1, 0.7, text),),
        log=(text, f"2026-11-26T10:00:00Z ERROR {text}", f"value={text}"),
        onsets=(("api", 0.0),),
        changes=(Change("api", "deploy", text, 60.0, (f"+{text}",)),),
        past=(Past("api", "crashed", "restart", "succeeded", 1.0),),
    )  # fmt: skip


def packed(told: Facts | None = None, seed: int = 1, model: str = "m") -> Pack:
    chance = Random(seed)
    return pack(told or facts(), redact_text, lambda: chance.getrandbits(32), model)


def answer(asked: Pack, place: int = 0, /, **other: object) -> str:
    """A good answer, with `other` in it instead."""
    name = list(asked.causes)[place]
    evidence = [piece for piece, (cause, _) in asked.evidence.items() if cause == name]
    told: dict[str, object] = {
        "cause_id": name, "fix_id": next(iter(asked.fixes)), "confidence": 0.9, "evidence_ids": evidence[:1],
        "rationale": "The check says so.", "missing_cause": "none", **other,
    }  # fmt: skip
    return json.dumps(told)
