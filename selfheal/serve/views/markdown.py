"""How does the report of an incident read as Markdown?

As CommonMark with tables. What agents and tools wrote is shown as they wrote it, and is never markup: in text each mark
is escaped, whole outputs stand in fences that are longer than any in them. Times are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from selfheal.serve.times import read_rfc3339, span, time_of_day

if TYPE_CHECKING:
    from selfheal.serve.models.incidents import CauseView, LineView
    from selfheal.serve.models.knowledge import SimilarView
    from selfheal.serve.models.report import ChangeView, CostView, IncidentReport, PreventionView, TriedFix

# What CommonMark takes for markup anywhere in a line, and what GitHub does: tables, strikethrough, mentions are text.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
# What begins a list, where it stands first.
_LIST = re.compile(r"^([-+]|\d+(?=[.)]))")
# Characters that are not seen, and those that turn the direction of what is.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def markdown(report: IncidentReport) -> str:
    """Write a report as one document, with a line break at its end."""
    parts = [
        *_head(report),
        *_section("What happened", _timeline(report.timeline)),
        *_section("Why", _causes(report.causes)),
        *(_section("Seen before", _similar(report.similar)) if report.similar else ()),
        *(_section("What was changed before", _changes(report.changes)) if report.changes else ()),
        *_section("What was tried", _attempts(report.attempts)),
        *_section("What it cost", _cost(report.cost)),
        *_section("What would prevent it", _prevention(report.prevention)),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def text(given: str) -> str:
    """Return `given` on one line, with nothing in it that would be markup."""
    line = " ".join(_UNSEEN.sub("", given).split())
    return _LIST.sub(_not_a_list, _MARKS.sub(r"\\\1", line))


def _not_a_list(begin: re.Match[str]) -> str:
    """A digit cannot be escaped: the point behind it stands apart from it, by what is not seen and has no width."""
    return f"\\{begin[0]}" if begin[0] in "-+" else f"{begin[0]}&#8203;"


def fenced(given: str) -> Iterator[str]:
    """Yield `given` as a block of code that cannot end before it does."""
    shown = _UNSEEN.sub("", given.replace("\r\n", "\n").replace("\r", "\n"))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}text", *shown.split("\n"), fence)


def _head(report: IncidentReport) -> Iterator[str]:
    yield f"# {text(report.id)}: {text(report.title)}"
    yield ""
    ended = f" to {_when(report.resolved_at)}" if report.resolved_at else ""
    yield f"**{report.severity}** · {report.state.replace('_', ' ')} · {_when(report.onset)}{ended} UTC"
    yield ""
    yield text(report.summary)
    yield ""


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *lines, "")


def _timeline(lines: Sequence[LineView]) -> Iterator[str]:
    yield from ("| time | after onset | |", "|---|--:|---|")
    for line in lines:
        yield f"| {time_of_day(read_rfc3339(line.at))} | {_offset(line.offset_s)} | {text(line.text)} |"


def _offset(seconds: float) -> str:
    return f"{seconds:+.3f} s" if abs(seconds) < 60 else f"+{span(seconds)}"


def _causes(causes: Sequence[CauseView]) -> Iterator[str]:
    if not causes:
        yield "No cause was looked for."
    for one in causes:
        where = f", at {text(one.agent)}" if one.agent else ""
        sources = f" (from: {', '.join(one.channels)})" if one.channels else ""
        yield f"- {text(one.sentence)} ({text(one.cause)}){where}: {_percent(one.probability)}{sources}"
        yield from (f"  - {text(evidence)}" for evidence in one.evidence)


def _similar(similar: Sequence[SimilarView]) -> Iterator[str]:
    for one in similar:
        cause = text(one.cause) if one.cause else "not what was thought"
        helped = f"{text(one.fix)} helped" if one.fix else "no fix helped"
        after = f" after {span(one.recovery_seconds)}" if one.recovery_seconds is not None else ""
        yield f"- {text(one.incident)} at {text(one.agent)}, {_when(one.at)} UTC: {cause}, {helped}{after}"
        yield f"  - alike by {_percent(one.similarity)}: {'; '.join(map(text, one.common))}"


def _changes(changes: Sequence[ChangeView]) -> Iterator[str]:
    for one in changes:
        by = f", by {text(one.by)}" if one.by else ""
        yield f"- {_when(one.at)}: {text(one.agent)}: {text(one.title)} ({one.kind}){by}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share < 0.995 else "over 99%"


def _attempts(attempts: Sequence[TriedFix]) -> Iterator[str]:
    if not attempts:
        yield "Nothing."
    for one in attempts:
        yield f"{one.number}. {_attempt(one)}"
        if one.output:
            yield ""
            yield from (f"   {line}".rstrip() for line in fenced(one.output))
            yield ""


def _attempt(one: TriedFix) -> str:
    how = " by reflex" if one.reflex else ""
    took = f", {span(one.duration_seconds)}" if one.duration_seconds is not None else ""
    ended = f" to {time_of_day(read_rfc3339(one.ended_at))}" if one.ended_at else ""
    outcome = (one.outcome or "under way").replace("_", " ")
    if one.outcome == "succeeded" and not one.verified:
        outcome = "done, not verified"
    undone = {True: "; what it did was taken back", False: "; what it did is being taken back", None: ""}[one.undone]
    began = time_of_day(read_rfc3339(one.started_at))
    return f"**{text(one.fix)}** of {text(one.agent)}{how} ({one.layer}), {began}{ended}{took}: {outcome}{undone}"


def _cost(cost: CostView) -> Iterator[str]:
    for one in cost.outages:
        yield f"- {text(one.agent)}: {'out for ' + span(one.seconds) if one.seconds is not None else 'not known'}"
    if cost.recovery_seconds is not None:
        yield f"- recovered {span(cost.recovery_seconds)} after the onset"
    yield f"- {_counted(cost.restarts, 'restart')}, {_counted(cost.acts, 'act')} that followed from a diagnosis"
    if cost.approval_seconds:
        yield f"- waited {span(cost.approval_seconds)} for a person's answer"
    if cost.person_seconds is not None:
        yield f"- a person was needed for {span(cost.person_seconds)}"
    yield from (f"- of the data: “{text(line)}”" for line in cost.data)


def _prevention(prevention: PreventionView) -> Iterator[str]:
    again = prevention.recurrence
    yield f"- {_advice(prevention.advice)}"
    if again.count > 1:
        yield f"- It happened {again.count} times within {again.days:.0f} days, first at {_when(again.first_at)} UTC."
    yield from (f"- {_advice(line)}" for line in prevention.settings)


def _advice(line: str) -> str:
    """Our own words, whose backticks mean what they say; a cause that a user named stands in one of them."""
    return " ".join(_UNSEEN.sub("", line).replace("<", "&lt;").split())


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _when(at: str) -> str:
    return at[:19].replace("T", " ")
