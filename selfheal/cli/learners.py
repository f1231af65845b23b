"""How well are failures foreseen on what was recorded? No daemon is asked, and nothing is done."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from selfheal.cli.output import (
    Cell,
    at,
    coloured,
    counted,
    duration,
    paint,
    say,
    share,
    show,
    show_json,
    table,
)
from selfheal.cli.progress import Bar
from selfheal.cli.verb import Group, Verb, WrongUse, a_path, as_json, count, seconds

if TYPE_CHECKING:
    from pathlib import Path

    from selfheal.predict.figures import Figures
    from selfheal.predict.recording import Recording
    from selfheal.recorded.backtest import Backtest
    from selfheal.recorded.learned import Foreseen, Learned, Reason
    from selfheal.recorded.outlook import Outlook

_HORIZON_S, _LEAD_S = 7200.0, 1800.0
_SHOWN = 20


def _backtest(arguments: Namespace) -> int:
    from selfheal.predict.alarms import Task
    from selfheal.predict.replay import parts_of
    from selfheal.recorded.backtest import MODELS, backtest

    _check_times(arguments.horizon, arguments.lead)
    bar = Bar("testing")
    try:
        recording = _read(arguments.dir, bar)
        wanted = MODELS if arguments.model == "all" else (arguments.model,)
        parts = parts_of(recording, arguments.train_until)
        found = backtest(recording, Task(arguments.horizon, arguments.lead), wanted, parts, bar)
    finally:
        bar.clear()
    if arguments.json:
        show_json(_document(found, recording))
    else:
        show(*_told(found, recording))
    return 0


def _read(folder: Path, bar: Bar) -> Recording:
    from selfheal.recorded.fleet_files import read_fleet, unmatched

    bar("reading", 0.1)
    recording = read_fleet(folder)
    for slip in unmatched(recording):
        bar.clear()
        say(slip)
    return recording


def _train(arguments: Namespace) -> int:
    from selfheal.predict.alarms import Task
    from selfheal.recorded.backtest import trained
    from selfheal.recorded.learned import check_place, write_learned

    _check_times(arguments.horizon, arguments.lead)
    check_place(arguments.save)
    task, bar = Task(arguments.horizon, arguments.lead), Bar("training")
    try:
        if arguments.simulate:
            bar("simulating", 0.0)
            _simulate(arguments)
        recording = _read(arguments.dir, bar)
        bar("learning", 0.2)
        learned = trained(recording, task, arguments.train_until, bool(arguments.simulate), arguments.seed)
    finally:
        bar.clear()
    write_learned(arguments.save, learned)
    if arguments.json:
        show_json(_trained(learned, arguments.save))
    else:
        say(f"learned from {counted(learned.failures, 'failure')} in {learned.rows} rows; it is in {arguments.save}")
    return 0


def _simulate(arguments: Namespace) -> None:
    """Write a simulated fleet into a folder that holds none yet."""
    from random import Random

    from selfheal.predict.simulated import fleet
    from selfheal.recorded.fleet_files import SIGNALS, write_fleet

    if (arguments.dir / SIGNALS).exists():
        raise WrongUse(f"cannot simulate into {str(arguments.dir)!r}: it holds a {SIGNALS}; name another folder")
    dice = Random(arguments.seed)  # noqa: S311 - no secret hangs on it
    recording, _ = fleet(dice, arguments.simulate, arguments.hours)
    write_fleet(arguments.dir, recording)


def _predict(arguments: Namespace) -> int:
    from selfheal.recorded.learned import read_learned
    from selfheal.recorded.learning import shipped
    from selfheal.recorded.outlook import outlook

    learned = read_learned(arguments.model) if arguments.model else shipped()
    bar = Bar("foreseeing")
    try:
        recording = _read(arguments.dir, bar)
        found = outlook(recording, learned, bar)
    finally:
        bar.clear()
    if arguments.json:
        show_json(_outlook_document(found, recording))
    elif found.latest:
        show(*_outlook_told(found, recording))
    else:
        say("Nothing is foreseen of any agent: too little was measured.")
    return 0


def _check_times(horizon_s: float, lead_s: float) -> None:
    if lead_s >= horizon_s:
        raise WrongUse(
            f"cannot foresee {duration(horizon_s)} ahead and at least {duration(lead_s)} before: "
            "the lead has to be shorter than the horizon"
        )


# --- as JSON --------------------------------------------------------------------------------------------------------


def _document(found: Backtest, recording: Recording) -> dict[str, object]:
    return {
        "horizon_seconds": found.task.horizon_s,
        "lead_seconds": found.task.lead_s,
        "step_seconds": found.step_s,
        "train_until": _time(found.parts.train_until, recording),
        "test_from": _time(found.parts.choose_until, recording),
        "models": {name: _figures(one, found.origins[name]) for name, one in found.figures.items()},
        "left_out": dict(found.left_out),
        "winner": found.winner,
        "alarms": [_said(one, recording) for one in found.alarms],
        "predictions": [_said(one, recording) for one in found.predictions],
    }


def _figures(one: Figures, origin: str) -> dict[str, object]:
    return {
        "event_recall": one.event_recall,
        "precision": one.precision,
        "false_alarms_per_agent_day": one.false_alarms_per_agent_day,
        "false_positive_rate": one.false_positive_rate,
        "median_lead_seconds": one.median_lead_seconds,
        "accuracy": one.accuracy,
        "accuracy_never_alarming": one.accuracy_never_alarming,
        "brier": one.brier,
        "brier_always_base_rate": one.brier_always_base_rate,
        "ece": one.ece,
        "counts": dict(one.counts),
        "intervals": {name: [interval.low, interval.high] for name, interval in one.intervals.items()},
        "by_mode": {mode: {"failures": many, "foreseen": hits} for mode, (many, hits) in one.by_mode.items()},
        "reliability": [{"count": each.count, "said": each.said, "came": each.came} for each in one.reliability],
        "threshold": one.threshold,
        "learned_from": origin,
    }


def _said(one: Foreseen, recording: Recording) -> dict[str, object]:
    return {
        "agent": one.agent,
        "timestamp": _time(one.at, recording),
        "mode": one.mode,
        "probability": one.probability,
        "eta_seconds": one.eta_s,
        "eta_low": one.eta_low_s,
        "eta_high": one.eta_high_s,
        "signal": one.signal,
    }


def _time(epoch: float, recording: Recording) -> float | str:
    """A time as the recording writes them, so that both can be joined."""
    return epoch if recording.epoch else at(epoch).isoformat().replace("+00:00", "Z")


def _trained(learned: Learned, file: Path) -> dict[str, object]:
    return {
        "model": str(file),
        "scope": learned.scope,
        "horizon_seconds": learned.horizon_s,
        "lead_seconds": learned.lead_s,
        "threshold": learned.threshold,
        "failures": learned.failures,
        "rows": learned.rows,
        "modes": sorted(learned.modes),
        "features": len(learned.whether.features),
    }


def _outlook_document(found: Outlook, recording: Recording) -> dict[str, object]:
    return {
        "horizon_seconds": found.task.horizon_s,
        "threshold": found.threshold,
        "agents": [
            {
                **_said(one.said, recording),
                "alarm": one.said.probability >= found.threshold,
                "since": None if one.since is None else _time(one.since, recording),
                "reasons": [_reason(reason) for reason in one.reasons],
                "nearest_case": None
                if one.case is None
                else {
                    "agent": one.case.agent,
                    "timestamp": _time(one.case.at, recording),
                    "mode": one.case.mode,
                },
            }
            for one in found.latest
        ],
        "alarms": [_said(one, recording) for one in found.alarms],
        "predictions": [_said(one, recording) for one in found.predictions],
    }


def _reason(one: Reason) -> dict[str, object]:
    """A feature that speaks for it. That something was not seen speaks as well, and JSON knows no NaN."""
    return {**one._asdict(), "value": one.value if isfinite(one.value) else None}


# --- for a person ---------------------------------------------------------------------------------------------------


def _told(found: Backtest, recording: Recording) -> Iterator[str]:
    from selfheal.predict.roles import foreseeable

    colour = coloured(sys.stdout)
    rows = [(name, *_row(one)) for name, one in sorted(found.figures.items(), key=lambda item: item[0] != found.winner)]
    yield from table(
        ("MODEL", "FORESEEN", "PRECISION", "FALSE ALARMS", "FALSE POSITIVES", "LEAD", "BRIER"), rows, colour
    )
    won = found.figures[found.winner]
    yield ""
    if won.accuracy is None:
        yield "nothing was judged: too little was measured, or all of it before what is judged begins"
    else:
        yield f"{found.winner} wins where the threshold was chosen; it was learned from {found.origins[found.winner]}"
        if not won.by_mode:
            since = _time(found.parts.choose_until, recording)
            yield f"nothing failed in the part that is judged, from {since} on; an earlier --train-until judges more"
    for mode, (many, hits) in won.by_mode.items():
        apart = "" if foreseeable(mode) else "; nothing announces it, and it does not count"
        yield f"  {mode}: {hits} of {many} foreseen{apart}"
    if won.accuracy is not None and won.accuracy_never_alarming is not None:
        yield f"right at {won.accuracy:.1%} of the steps; never alarming would be at {won.accuracy_never_alarming:.1%}"
    for why in found.left_out.values():
        yield paint(Cell(f"left out: {why}", "quiet"), colour)


def _row(one: Figures) -> Sequence[str]:
    counts = one.counts
    a_day = one.false_alarms_per_agent_day
    return (
        f"{counts['foreseen']} of {counts['failures']}",
        _share(one.precision),
        "-" if a_day is None else f"{a_day:.3f} a day",
        _share(one.false_positive_rate),
        "-" if one.median_lead_seconds is None else duration(one.median_lead_seconds),
        "-" if one.brier is None else f"{one.brier:.4f}",
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _outlook_told(found: Outlook, recording: Recording) -> Iterator[str]:
    colour = coloured(sys.stdout)
    worst = sorted(found.latest, key=lambda one: -one.said.probability)[:_SHOWN]
    rows = [
        (
            one.said.agent,
            share(one.said.probability),
            "-" if one.since is None else str(_time(one.since, recording)),
            one.said.mode,
            duration(one.said.eta_s),
            ", ".join(reason.feature for reason in one.reasons[:3]),
        )
        for one in worst
    ]
    yield from table(("AGENT", "LIKELY", "SINCE", "MODE", "LEFT", "WHY"), rows, colour)
    yield ""
    yield f"{counted(len(found.alarms), 'alarm')} over all of the time, from a probability of {found.threshold:.2f} on"


# --- what they take -------------------------------------------------------------------------------------------------


def _folder(parser: ArgumentParser) -> None:
    told = "a folder with signals.csv (agent,timestamp,signal…), failures.csv (agent,timestamp,mode), limits.csv"
    parser.add_argument("dir", type=a_path, metavar="DIR", help=told)


def _ahead(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--horizon", type=seconds, default=_HORIZON_S, metavar="TIME", help="how far ahead failures are foreseen (2h)"
    )
    parser.add_argument(
        "--lead", type=seconds, default=_LEAD_S, metavar="TIME", help="how long before an alarm is of use (30m)"
    )


def _until(parser: ArgumentParser) -> None:
    told = "learn from what came before, judge on what comes after; 60, 20 and 20 %% of the time without it"
    parser.add_argument("--train-until", type=_moment, metavar="TIME", help=told)


def _taught_until(parser: ArgumentParser) -> None:
    told = "learn from what came before; the newest quarter of that corrects the probabilities"
    parser.add_argument("--train-until", type=_moment, metavar="TIME", help=told)


def _model(parser: ArgumentParser) -> None:
    models = ("all", "boost", "lstm", "trend")
    parser.add_argument("--model", choices=models, default="all", help="ask this one alone (all)")


def _save(parser: ArgumentParser) -> None:
    parser.add_argument("--save", type=a_path, metavar="FILE", required=True, help="where the model is written")


def _simulated(parser: ArgumentParser) -> None:
    told = "write a simulated fleet of N agents into DIR first, and learn what holds for every fleet"
    parser.add_argument("--simulate", type=count, metavar="N", help=told)
    parser.add_argument("--hours", type=count, default=72, metavar="H", help="how long it is simulated (72)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed, the same fleet and model (0)")


def _learned(parser: ArgumentParser) -> None:
    told = "a file of 'selfheal train'; the model that comes with selfheal without it"
    parser.add_argument("--model", type=a_path, metavar="FILE", help=told)


def _moment(text: str) -> float:
    from selfheal.recorded.tables import moment

    try:
        return moment(text)
    except ValueError as why:
        raise ArgumentTypeError(str(why)) from why


GROUP = Group(
    "Recorded failures",
    (
        Verb(
            "backtest",
            "How many failures would have been foreseen, at how many false alarms?",
            "backtest recorded --horizon 2h --lead 30m --json",
            _backtest,
            (_folder, _ahead, _model, _until, as_json),
        ),
        Verb(
            "train",
            "Learn from recorded failures, or from simulated ones.",
            "train recorded --save fleet.model",
            _train,
            (_folder, _ahead, _taught_until, _save, _simulated, as_json),
        ),
        Verb(
            "predict",
            "What is foreseen of recorded agents, since when, and why?",
            "predict recorded --model fleet.model",
            _predict,
            (_folder, _learned, as_json),
        ),
    ),
)
