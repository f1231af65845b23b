"""How do agents look that fail, and those that only seem to?

A fleet is simulated signal by signal: a level of its own, a daily and a weekly season, noise that remembers, a
collector that saws, a batch at night, logs that are rotated. Then one scene follows another: a failure that announces
itself, three times as often something harmless that begins alike, now and then a failure that nothing announces. What
fills up is made in shares of its limit, so that a failure is there when the limit is. The same dice, the same fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import cos, exp, nan, pi
from typing import TYPE_CHECKING

from selfheal.predict.recording import Failure, Recording, Samples

if TYPE_CHECKING:
    from random import Random

SIGNALS = ("rss", "fds", "disk", "latency_p95", "error_rate", "queue", "cpu", "restarts")
# How often an agent has a signal, and how often that has a limit.
_THERE = {"rss": 1.0, "fds": 0.8, "disk": 0.7, "latency_p95": 0.8, "error_rate": 0.8, "queue": 0.6, "cpu": 0.8}
_LIMITED = {"rss": 0.95, "fds": 0.9, "disk": 0.95, "latency_p95": 0.5, "error_rate": 0.5, "queue": 0.6}
_MODES = {
    "rss": "out_of_memory",
    "fds": "out_of_fds",
    "disk": "disk_full",
    "latency_p95": "too_slow",
    "error_rate": "failing",
    "queue": "queue_full",
}
WITHOUT_PRECURSOR = ("killed", "bad_deploy", "network_cut")
# Of a hundred scenes.
_FAILING, _SUDDEN = 24, 4
_HOUR, _DAY = 3600.0, 86400.0
_DOWN_S = 120.0
# What is harmless stays below this share of its limit.
_HARMLESS = 0.9
# What fails does so at something between this share of its limit and all of it.
LOWEST_LIMIT = 0.96
# Nothing fails before this share of the time that it was to take.
_SHORTEST = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What befell an agent. `kind` is the mode of a failure, or the name of what was harmless."""

    agent: str
    began: float
    ended: float
    kind: str
    signal: str


@dataclass(slots=True)
class _Life:
    """One agent while it is made: its signals in shares of their limits."""

    name: str
    at: Sequence[float]
    shares: dict[str, list[float]]
    limited: frozenset[str]
    failures: list[Failure] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    down: list[tuple[float, float]] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)


def fleet(
    dice: Random, agents: int, hours: float = 72.0, began: float = 1_767_225_600.0, *, every_limit: bool = False
) -> tuple[Recording, list[Scene]]:
    """Simulate so many agents over so many hours from `began` on, in seconds since the epoch; with what befell them.

    Agents are sampled every 30, 60 or 300 s, with gaps; not each has all signals. Nor is a limit told for each, unless
    `every_limit` is: then of all that may fill up, slow down or fail.
    """
    lives = [_lived(dice, f"agent-{number:03d}", began, hours * _HOUR, every_limit) for number in range(agents)]
    limits = {life.name: _limits(dice, life) for life in lives}
    samples = {life.name: _samples(dice, life, limits[life.name]) for life in lives}
    told = {life.name: {name: limits[life.name][name] for name in sorted(life.limited)} for life in lives}
    failures = sorted((one for life in lives for one in life.failures), key=lambda one: one.at)
    return Recording(SIGNALS, samples, tuple(failures), told), [scene for life in lives for scene in life.scenes]


def _lived(dice: Random, name: str, began: float, length_s: float, every_limit: bool) -> _Life:
    gap = dice.choice((30.0, 60.0, 60.0, 300.0) if length_s <= 2 * _DAY else (60.0, 300.0, 300.0))
    phase = dice.uniform(0.0, gap)
    at = [began + phase + gap * number for number in range(int((length_s - phase) / gap))]
    there = [signal for signal, share in _THERE.items() if dice.random() < share]
    load = _load(dice, at)
    told = {signal for signal in there if dice.random() < _LIMITED.get(signal, 0.0)}
    limited = frozenset(_LIMITED.keys() & set(there) if every_limit else told)
    life = _Life(name, at, {signal: _USUAL[signal](dice, at, load) for signal in there}, limited)
    now = began + dice.uniform(0.0, 4.0) * _HOUR
    while now < began + length_s:
        now = _scene(dice, life, now) + dice.uniform(0.5, 6.0) * _HOUR
    return life


# --- what is usual --------------------------------------------------------------------------------------------------


def _noise(dice: Random, at: Sequence[float], spread: float, minutes: float = 10.0) -> list[float]:
    """Noise that remembers for some minutes."""
    gap = at[1] - at[0] if len(at) > 1 else 60.0
    keeps = exp(-gap / (60.0 * minutes))
    new, now, noise = spread * (1.0 - keeps * keeps) ** 0.5, 0.0, []
    for _ in at:
        now = keeps * now + dice.gauss(0.0, new)
        noise.append(now)
    return noise


def _load(dice: Random, at: Sequence[float]) -> list[float]:
    """How much there is to do, about one: by the hour, by the day of the week, and by chance."""
    daily, peak, weekend = dice.uniform(0.0, 0.5), dice.uniform(0.0, _DAY), dice.uniform(0.5, 1.0)
    noise = _noise(dice, at, dice.uniform(0.02, 0.1), 20.0)
    return [
        max(0.05, (1.0 + daily * cos(2.0 * pi * (when - peak) / _DAY)) * (weekend if _weekend(when) else 1.0) + rest)
        for when, rest in zip(at, noise, strict=True)
    ]


def _weekend(when: float) -> bool:
    return int(when // _DAY + 3) % 7 >= 5


def _held(dice: Random, at: Sequence[float], load: Sequence[float]) -> list[float]:
    """What is held in memory: it follows the load a little, and a collector or a batch may move it."""
    level, follows = dice.uniform(0.15, 0.5), dice.uniform(0.0, 0.08)
    shares = [
        level + follows * (much - 1.0) + rest
        for much, rest in zip(load, _noise(dice, at, dice.uniform(0.001, 0.015)), strict=True)
    ]
    if dice.random() < 0.35:
        _saw(dice, at, shares, dice.uniform(0.05, 0.35), dice.uniform(300.0, 1.5 * _HOUR))
    if dice.random() < 0.3:
        _nightly(dice, at, shares, dice.uniform(0.08, 0.35))
    return shares


def _open(dice: Random, at: Sequence[float], load: Sequence[float]) -> list[float]:
    level, follows = dice.uniform(0.03, 0.4), dice.uniform(0.0, 0.15)
    return [
        max(0.01, level + follows * (much - 1.0) + rest)
        for much, rest in zip(load, _noise(dice, at, 0.01, 5.0), strict=True)
    ]


def _kept(dice: Random, at: Sequence[float], _: Sequence[float]) -> list[float]:
    """What lies on the disk: it grows slowly, and logs are rotated."""
    level, grows = dice.uniform(0.2, 0.6), dice.uniform(0.0, 0.01) / _DAY
    shares = [level + grows * (when - at[0]) + rest for when, rest in zip(at, _noise(dice, at, 0.0005), strict=True)]
    if dice.random() < 0.5:
        _saw(dice, at, shares, dice.uniform(0.05, 0.3), dice.uniform(4.0, 24.0) * _HOUR)
    return shares


def _slow(dice: Random, at: Sequence[float], load: Sequence[float]) -> list[float]:
    level, follows, spread = dice.uniform(0.06, 0.2), dice.uniform(0.0, 1.0), dice.uniform(0.01, 0.2)
    noise = _noise(dice, at, spread, 2.0)
    return [level * much**follows * exp(rest) for much, rest in zip(load, noise, strict=True)]


def _wrong(dice: Random, at: Sequence[float], _: Sequence[float]) -> list[float]:
    level = dice.choice((0.0, 0.01, 0.03))
    bursts = dice.uniform(0.0, 0.01)
    return [
        max(0.0, level * (1.0 + dice.gauss(0.0, 0.5))) + (dice.uniform(0.02, 0.2) if dice.random() < bursts else 0.0)
        for _ in at
    ]


def _waiting(dice: Random, at: Sequence[float], load: Sequence[float]) -> list[float]:
    level, noise = dice.uniform(0.01, 0.08), _noise(dice, at, dice.uniform(0.02, 0.5), 5.0)
    return [max(0.0, level * much * much * exp(rest)) for much, rest in zip(load, noise, strict=True)]


def _busy(dice: Random, _: Sequence[float], load: Sequence[float]) -> list[float]:
    level = dice.uniform(0.1, 0.5)
    return [min(1.0, level * much * (1.0 + dice.gauss(0.0, 0.08))) for much in load]


_Usual = Callable[["Random", Sequence[float], Sequence[float]], list[float]]
_USUAL: Mapping[str, _Usual] = {
    "rss": _held, "fds": _open, "disk": _kept, "latency_p95": _slow, "error_rate": _wrong, "queue": _waiting,
    "cpu": _busy,
}  # fmt: skip


def _saw(dice: Random, at: Sequence[float], shares: list[float], height: float, period_s: float) -> None:
    """Filled up and released, again and again, never quite to the same height."""
    began, lasts, high = at[0] - dice.uniform(0.0, period_s), period_s, height
    for place, when in enumerate(at):
        while when >= began + lasts:
            began += lasts
            lasts, high = period_s * dice.uniform(0.8, 1.2), height * dice.uniform(0.85, 1.1)
        shares[place] = min(max(shares[place], _HARMLESS), shares[place] + high * (when - began) / lasts)


def _nightly(dice: Random, at: Sequence[float], shares: list[float], height: float) -> None:
    begins, lasts = dice.uniform(0.0, _DAY), dice.uniform(1.0, 3.5) * _HOUR
    for place, when in enumerate(at):
        into = (when - begins) % _DAY
        if into < lasts:
            shares[place] = min(max(shares[place], _HARMLESS), shares[place] + height * min(1.0, 2.0 * into / lasts))


# --- what befalls them ----------------------------------------------------------------------------------------------


def _scene(dice: Random, life: _Life, now: float) -> float:
    """Let something happen from `now` on; returns when it is over."""
    drawn = dice.random() * 100.0
    fills = [signal for signal in life.shares if signal in _MODES]
    if drawn < _FAILING:
        if dice.random() < 0.12:
            return _crash_loop(dice, life, now)
        return _fills_up(dice, life, now, dice.choice(fills))
    if drawn < _FAILING + _SUDDEN:
        mode = dice.choice(WITHOUT_PRECURSOR)
        return _fails(life, now, now + dice.uniform(1.0, 3.0) * _HOUR, mode, "")
    return _harmless(dice, life, now, dice.choice(fills))


def _fills_up(dice: Random, life: _Life, now: float, signal: str) -> float:
    """From where it is to its limit, straight, bent or in steps: it fails when it touches that, and not before."""
    lasts = dice.uniform(*_lasting(signal, signal in life.limited)) * _HOUR
    shares, limit, grown = life.shares[signal], dice.uniform(LOWEST_LIMIT, 1.0), _growth(dice)
    begin, end = _places(life.at, now, now + lasts)
    if begin == end:
        return now + lasts
    usual = sum(shares[begin:end]) / (end - begin)
    for place in range(begin, len(shares)):
        into = (life.at[place] - now) / lasts
        shares[place] += max(0.0, limit - usual) * grown(into)
        if into < _SHORTEST:  # a peak of what is usual would end it before anything announced it
            shares[place] = min(shares[place], _HARMLESS * limit)
        elif shares[place] >= limit:
            return _fails(life, now, life.at[place], _MODES[signal], signal)
    return life.at[-1] + lasts


def _lasting(signal: str, limited: bool) -> tuple[float, float]:
    """How many hours a failure announces itself: where nobody knows the limit, that it grows is all that does."""
    if signal in ("rss", "fds", "disk"):
        return 2.0, 16.0
    return (1.5, 8.0) if limited else (1.75, 6.0)


def _growth(dice: Random) -> Callable[[float], float]:
    """From 0 to 1 in the time from 0 to 1, and on as long as it takes."""
    kind = dice.random()
    if kind < 0.5:
        return lambda share: share
    if kind < 0.8:
        power = dice.uniform(0.7, 1.7)
        return lambda share: share**power
    steps = sorted(dice.random() for _ in range(dice.randint(20, 60)))
    return lambda share: sum(step <= share % 1.0 for step in steps) / len(steps) + share // 1.0


def _crash_loop(dice: Random, life: _Life, now: float) -> float:
    """Restarts that follow each other faster and faster, until it does not come up any more."""
    pause, when = dice.uniform(1200.0, 3000.0), now
    while pause > dice.uniform(240.0, 420.0):
        life.restarts.append(when)
        when += pause
        pause *= dice.uniform(0.7, 0.9)
    if "error_rate" in life.shares:
        _bump(life, "error_rate", now, when, lambda share: 0.3 * share)
    return _fails(life, now, when, "crash_loop", "restarts")


def _fails(life: _Life, began: float, at: float, mode: str, signal: str) -> float:
    if at > life.at[-1]:
        return at
    life.failures.append(Failure(life.name, at, mode))
    life.scenes.append(Scene(life.name, began, at, mode, signal))
    life.down.append((at, at + _DOWN_S))
    life.restarts.append(at + _DOWN_S)
    return at + _DOWN_S


def _harmless(dice: Random, life: _Life, now: float, signal: str) -> float:
    """Something that begins like a failure and is none."""
    usual = life.shares[signal][min(len(life.at) - 1, _places(life.at, now, now)[0])]
    lasts = dice.uniform(2.0, 10.0) * _HOUR
    if signal in ("rss", "fds", "disk"):
        kind = dice.choice(("warm_up", "step", "peak", "filled_and_released", "deploy"))
        room = max(0.05, dice.uniform(0.4, _HARMLESS) - usual)
    else:
        kind = dice.choice(("warm_up", "step", "peak", "burst", "deploy"))
        room = usual * dice.uniform(0.3, 2.0) if signal != "error_rate" else dice.uniform(0.02, 0.3)
    if kind == "peak":
        lasts = dice.uniform(0.5, 4.0) * _HOUR
        _bump(life, "cpu", now, now + lasts, lambda share: 0.4 * min(1.0, 3.0 * share, 3.0 * (1.0 - share)))
    if kind == "burst":
        lasts = dice.uniform(300.0, 2400.0)
        room = dice.uniform(0.2, 0.7)
    if kind == "deploy":
        life.restarts.append(now)
    if kind == "filled_and_released":
        # It is released while more than two hours would be left: what comes nearer cannot be told from a failure.
        room = min(room, (1.0 - usual) * lasts / (lasts + dice.uniform(2.2, 6.0) * _HOUR))
    _bump(life, signal, now, now + lasts, _shape(dice, kind, room, usual, lasts))
    life.scenes.append(Scene(life.name, now, now + lasts, kind, signal))
    return now + lasts


def _shape(dice: Random, kind: str, room: float, usual: float, lasts: float) -> Callable[[float], float]:
    """What is added to a signal, over the time of a scene from 0 to 1."""
    quick = dice.uniform(600.0, 5400.0)
    match kind:
        case "warm_up":
            return lambda share: room * (1.0 - exp(-share * lasts / quick))
        case "step":
            return lambda share: 0.6 * room
        case "peak":
            return lambda share: room * min(1.0, 3.0 * share, 3.0 * (1.0 - share))
        case "deploy":
            return lambda share: -0.5 * usual * exp(-share * lasts / quick)
        case _:
            return lambda share: room * share


def _bump(life: _Life, signal: str, began: float, ended: float, shape: Callable[[float], float]) -> None:
    if signal not in life.shares:
        return
    shares = life.shares[signal]
    begin, end = _places(life.at, began, ended)
    for place in range(begin, end):
        raised = shares[place] + shape((life.at[place] - began) / (ended - began))
        shares[place] = max(0.0, min(max(_HARMLESS, shares[place]), raised))


def _places(at: Sequence[float], began: float, ended: float) -> tuple[int, int]:
    gap = at[1] - at[0]
    return tuple(max(0, min(len(at), int((when - at[0]) / gap) + 1)) for when in (began, ended))  # type: ignore[return-value]


# --- how it is told -------------------------------------------------------------------------------------------------


def _limits(dice: Random, life: _Life) -> dict[str, float]:
    """What a share is a share of, in the unit of each signal."""
    sizes = {
        "rss": dice.choice((2.0**28, 2.0**29, 2.0**30, 2.0**32)),
        "fds": float(dice.choice((1024, 4096, 65536))),
        "disk": 1.0,
        "latency_p95": dice.uniform(500.0, 5000.0),
        "error_rate": dice.uniform(0.1, 0.6),
        "queue": float(dice.choice((500, 1000, 10_000))),
        "cpu": 1.0,
    }
    return {signal: size for signal, size in sizes.items() if signal in life.shares}


def _samples(dice: Random, life: _Life, limits: Mapping[str, float]) -> Samples:
    """What a monitor would have written down: with gaps, nothing of what is down, and restarts as they are counted."""
    lost = dice.uniform(0.0, 0.02)
    gaps = [(when, when + dice.uniform(300.0, 3600.0)) for when in dice.sample(list(life.at), min(2, len(life.at)))]
    away = sorted([*life.down, *(gaps if dice.random() < 0.5 else [])])
    kept = [not _within(away, when) and dice.random() >= lost for when in life.at]
    values: dict[str, Sequence[float]] = {
        signal: [share * limits[signal] if keep else nan for share, keep in zip(life.shares[signal], kept, strict=True)]
        if signal in life.shares
        else [nan] * len(life.at)
        for signal in SIGNALS[:-1]
    }
    values["restarts"] = _counted(life, kept)
    return Samples(life.at, values)


def _within(away: Sequence[tuple[float, float]], when: float) -> bool:
    return any(began <= when < ended for began, ended in away)


def _counted(life: _Life, kept: Sequence[bool]) -> list[float]:
    counted, restarts, place = [], sorted(life.restarts), 0
    for when, keep in zip(life.at, kept, strict=True):
        while place < len(restarts) and restarts[place] <= when:
            place += 1
        counted.append(float(place) if keep else nan)
    return counted
