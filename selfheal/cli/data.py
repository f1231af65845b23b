"""What is there to fall back on, and how is it put back? The data layer by hand."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from selfheal.cli.client import Answer, Client, Document, daemon_of, path
from selfheal.cli.output import Cell, age, clock_time, duration, say, show_json, show_table, size
from selfheal.cli.progress import Bar, watched
from selfheal.cli.verb import FAILED, Group, Verb, WrongUse, a_path, as_json, named, the_daemon
from selfheal.cli.when import time
from selfheal.errors import SelfhealError, UnknownName

_HEADER = ("AGENT", "BACKUP", "DATA OF", "SIZE", "STORED", "PROVED")
# A backup of a terabyte takes its time.
PATIENCE_S = 6 * 3600.0
LAYER = "data"


def _backup(arguments: Namespace) -> int:
    client = daemon_of(arguments)
    if arguments.list:
        return _list(client, arguments)
    names = _chosen(client, arguments)
    if arguments.dry_run:
        say(f"would back up and prove {', '.join(names)}")
        return 0
    return _each(names, arguments, lambda name: _order(client, name, "backup", None))


def _verify(arguments: Namespace) -> int:
    client = daemon_of(arguments)
    if arguments.list:
        return _list(client, arguments)
    names = _chosen(client, arguments)
    if arguments.accept:
        return _accept(client, arguments)
    if arguments.dry_run:
        say(f"would restore the {arguments.backup} backup of {', '.join(names)} to a scratch place and prove it")
        return 0
    return _each(names, arguments, lambda name: _order(client, name, "verify", {"backup": arguments.backup}))


def _accept(client: Client, arguments: Namespace) -> int:
    """Only who was named: that all data are as they should be is hardly ever meant."""
    names: list[str] = arguments.agent
    if not names:
        raise WrongUse("cannot accept the data of everybody at once; name the agents whose data are as they should be")
    if arguments.dry_run:
        say(f"would take the data of {', '.join(names)} for sound as they are")
        return 0
    answers = [client.post(path("control", "agents", name, "accept"), patience_s=PATIENCE_S) for name in names]
    if arguments.json:
        show_json({"items": [answer.body.raw for answer in answers]})
    else:
        for answer in answers:
            say(answer.body.text("message"))
    return 0


def _restore(arguments: Namespace) -> int:
    if arguments.to is not None and not arguments.list:
        return _take_out(arguments)
    client, name = daemon_of(arguments), arguments.agent
    if arguments.list:
        return _list(client, Namespace(**{**vars(arguments), "agent": [name]}))
    wanted: dict[str, object] = {"backup": arguments.backup}
    if arguments.at is not None:
        wanted["at"] = datetime.fromtimestamp(arguments.at, UTC).isoformat()
    where = path("control", "agents", name, "restore")
    plan = client.post(where, {**wanted, "dry_run": True})
    if arguments.dry_run:
        if arguments.json:
            show_json(plan.body.raw)
        else:
            _say_plan(plan)
        return 0
    if not arguments.yes:
        _say_plan(plan)
        if not _agreed(name):
            return FAILED
    chosen = {"backup": plan.body.text("source")}  # what was agreed to, though another may have been made meanwhile
    answer = _order(client, name, "restore", chosen)
    if arguments.json:
        show_json(answer.body.raw)
    else:
        _say_restored(answer.body)
    return 0


def _take_out(arguments: Namespace) -> int:
    """Write a backup into a folder. The vault is read as it lies there: for this no daemon is needed."""
    from selfheal.cli.vault import taken_out

    chosen = taken_out(arguments, Bar(f"restore {arguments.agent}"))
    if arguments.json:
        show_json({"backup": chosen.id, "agent": chosen.agent, "to": str(arguments.to), "dry_run": arguments.dry_run})
    else:
        done = "would be written" if arguments.dry_run else "is"
        say(f"{arguments.agent}: {chosen.id} {done} in {arguments.to}, as it was copied; nothing else was touched")
    return 0


def _say_plan(plan: Answer) -> None:
    taken = plan.body.moment("taken_at")
    writers = plan.body.texts("writers")
    say(f"the backup {plan.body.text('source')} has the data as of {clock_time(taken, plan.now) if taken else '?'}")
    if taken is not None:
        say(f"  what was written since then, {age(taken, plan.now)} ago, is lost")
    say(f"  {', '.join(writers)} will be stopped meanwhile" if writers else "  nobody has to be stopped")
    say("  the data as they are now are kept aside")


def _agreed(name: str) -> bool:
    """Ask on the terminal. Where there is none, only --yes says that it is meant."""
    if not sys.stdin.isatty():
        raise WrongUse(f"cannot ask whether the data of {name} shall be replaced: this is no terminal; add --yes")
    sys.stderr.write(f"replace the data of {name}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say_restored(body: Document) -> None:
    lost = body.part("lost").raw
    gone = [f"{count:g} {name}" for name, count in lost.items() if isinstance(count, int | float)]
    seconds = body.number("lost_seconds")
    if seconds is not None:
        gone.append(f"the last {duration(seconds)} of writes")
    say(body.text("message"))
    say(f"  lost: {', '.join(gone) or 'nothing that is known'}")
    say(f"  the old data: {body.text('aside') or 'there were none'}")


def _each(names: Sequence[str], arguments: Namespace, order: Callable[[str], Answer]) -> int:
    """Do it for one after the other; one that fails keeps none of the others from it."""
    done: list[object] = []
    failed = 0
    for name in names:
        try:
            answer = order(name)
        except SelfhealError as why:
            failed += 1
            done.append({"target": name, "error": str(why)})
            say(f"{name}: {why}")
            continue
        done.append(answer.body.raw)
        if not arguments.json:
            say(_told(answer.body))
    if arguments.json:
        show_json({"items": done, "failed": failed})
    return FAILED if failed else 0


def _told(body: Document) -> str:
    backup = body.part("backup")
    return f"{body.text('message')} ({size(backup.count('size'))}, {size(backup.count('stored'))} of it new)"


def _order(client: Client, name: str, order: str, body: object) -> Answer:
    def look() -> tuple[str, float] | None:
        jobs = client.get("/observability/jobs").body.parts("items")
        mine = next((job for job in jobs if job.text("agent") == name), None)
        return (mine.text("doing"), mine.number("share") or 0.0) if mine is not None else None

    where = path("control", "agents", name, order)
    return watched(lambda: client.post(where, body, patience_s=PATIENCE_S), Bar(f"{order} {name}"), look)


def _chosen(client: Client, arguments: Namespace) -> list[str]:
    """The agents that were named, or all of the data layer. Nothing acts on an empty set."""
    if arguments.agent:
        return list(arguments.agent)
    agents = client.get("/observability/agents").body.parts("items")
    names = [agent.text("name") for agent in agents if agent.text("layer") == LAYER]
    if not names:
        raise UnknownName("cannot find an agent of the data layer; add one of kind sqlite, json, files or postgres")
    return names


def _list(client: Client, arguments: Namespace) -> int:
    only = arguments.agent[0] if len(arguments.agent or ()) == 1 else None
    answer = client.get("/observability/backups", agent=only, limit=1000)
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    wanted = set(arguments.agent or ())
    items = [one for one in answer.body.parts("items") if not wanted or one.text("agent") in wanted]
    show_table(_HEADER, [_row(one, answer.now) for one in items], "There is no backup yet.")
    return 0


def _row(backup: Document, now: datetime) -> tuple[Cell | str, ...]:
    taken, proved, damaged = backup.moment("taken_at"), backup.moment("verified_at"), backup.text("damaged")
    state = Cell("not yet", "uneasy") if proved is None else Cell(f"{age(proved, now)} ago", "good")
    return (
        Cell(backup.text("agent"), "strong"),
        backup.text("id"),
        clock_time(taken, now) if taken and taken.timestamp() else "-",
        size(backup.count("size")),
        size(backup.count("stored")),
        Cell(f"damaged: {damaged}", "bad") if damaged else state,
    )


def _agents(parser: ArgumentParser) -> None:
    parser.add_argument("agent", metavar="AGENT", nargs="*", help="which; by default all of the data layer")


def _listed(parser: ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="show the backups that there are, and do nothing")


def _dry(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def _of_backup(parser: ArgumentParser) -> None:
    parser.add_argument("--backup", default="newest", metavar="ID", help="which: its id, or newest (the default)")


def _when(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--at", type=time, metavar="TIME", help="the data as they were then: a time (local without a zone) or '2h ago'"
    )


def _sure(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")


def _to(parser: ArgumentParser) -> None:
    words = "into this folder, new or empty, and leave the data alone; needs no daemon"
    parser.add_argument("--to", type=a_path, metavar="DIR", help=words)


def _accepted(parser: ArgumentParser) -> None:
    words = "the data are right as they are: forget what was seen of them before"
    parser.add_argument("--accept", action="store_true", help=words)


GROUP = Group(
    "Your data",
    (
        Verb(
            "backup",
            "Back up data, restore the copy to a scratch place and prove it: only then it counts.",
            "backup ledger",
            _backup,
            (_agents, _listed, _dry, the_daemon, as_json),
        ),
        Verb(
            "verify",
            "Restore a backup to a scratch place once more, and prove that it is sound.",
            "verify ledger --backup 20261126T081200Z",
            _verify,
            (_agents, _of_backup, _accepted, _listed, _dry, the_daemon, as_json),
        ),
        Verb(
            "restore",
            "Put a backup in the place of the data: writers are stopped meanwhile, the old data kept aside.",
            "restore ledger --at 2026-11-26T08:00",
            _restore,
            (named("AGENT", "whose data"), _of_backup, _when, _to, _listed, _dry, _sure, the_daemon, as_json),
        ),
    ),
)
