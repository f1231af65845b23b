"""Is one signal strange now, and is what was strange over?

How far each sample is from the level of the signal, in spreads, is a share of a bar that follows from how far the
signal strays by itself (straying.py), and at 1 an anomaly begins. Where it uses to be there at this time of the day
(usual.py), it is only as far as it is from that. After a deploy or a start it may go where it likes for a while; where
it then is otherwise than before, that is told, and normal from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from selfheal.detect.counter import Counter
from selfheal.detect.level import YOUNG, Level
from selfheal.detect.patience import HITS, Patience
from selfheal.detect.straying import FAR, Straying
from selfheal.detect.tail import DAY_S
from selfheal.detect.usual import Usual
from selfheal.measures import Sense
from selfheal.vocabulary import LevelWhy

# A signal strays by this share of the least change that is minded, or more: it is not asked for more than that change
# until its bar is twice the least.
FINEST = 0.125
# From this share of its bar on a signal is somewhat strange, which is something where another one is, too.
SOMEWHAT = 0.6
# What is out of line is told anew as it goes so much further out.
FURTHER = 2.0
# Calm is well below, so that a signal at its bar does not flap.
CALM, CALMS = 0.6, 5
# Samples of silence after an anomaly is over; shorter and longer ones did worse on public series.
REFRACTORY = 30
# A new level that has held for this long is the normal one from now on.
NEW_NORMAL_S = 1800.0
# After a deploy, or a start: the beginning of a run is like nothing else, and then the level is looked for.
BEGINNING_S, SETTLING_S = 30.0, 600.0
# Nobody has looked for so many samples, and so long: what was before is in no row with what is now.
GAP_SAMPLES, GAP_S = 5.0, 60.0
# After so long it may be anywhere, as after a start.
LONG_GAP_S = 1800.0
# From this interval on three samples are no one level any more.
RARE_S = 600.0
# What is larger cannot be squared, and is no measurement.
LARGEST = 1e150
# Values that differ by no more than this share of themselves are equal: floating point makes as much of one value.
GRAIN = 1e-12
BEYOND_MEASURE = 1000.0
_PACE = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """An anomaly began, went further, or is over, or there is a new level, with the one `expected` before and the
    `value` now.

    `score` is from 0 to 1, one half at the bar. `since` is the time of the first of the samples that made it, of a new
    level that of the change after which it came, and `why` names that.
    """

    kind: Literal["seen", "further", "over", "level"]
    expected: float
    value: float
    score: float = 0.0
    since: float = 0.0
    why: LevelWhy = "held"


class Settling(msgspec.Struct, array_like=True):
    """The level that is looked for since something has changed."""

    since: float
    why: LevelWhy
    level: Level = msgspec.field(default_factory=Level)

    def known(self, at: float) -> bool:
        """Whether a sample can be held against that level: once it is warm, or, of one that comes seldom, once the time
        to settle is over and it has seen as much as shows what is far out.
        """
        return self.level.warm or (self.level.count >= YOUNG and at - self.since >= SETTLING_S)


class Watched(msgspec.Struct, array_like=True):
    """One signal. It is changed in place, for its speed; all of it can be kept.

    `held` and `times` are of the latest samples, `share` is how strange they are where 1 is the bar. `since` is when
    the anomaly began that it is in, `strange_s` for how long that was looked at, `rising` where the latest sample lies,
    and `told` how far out it was told to be, in bars. `formed` is the level that was looked for as it began, if any.
    """

    at: float | None = None
    every_s: float = 0.0
    level: Level = msgspec.field(default_factory=Level)
    straying: Straying | None = None
    usual: Usual | None = None
    counter: Counter | None = None
    settling: Settling | None = None
    patience: Patience = msgspec.field(default_factory=Patience)
    held: tuple[float, float] | None = None
    times: tuple[float, float, float] = (0.0, 0.0, 0.0)
    share: float = 0.0
    rising: bool = True
    since: float | None = None
    strange_s: float = 0.0
    calms: int = 0
    silent: int = 0
    told: float = 0.0
    formed: Settling | None = None

    def take(self, at: float, value: float, sense: Sense, a_day: float, others: Patience) -> tuple[Verdict, ...]:
        """Take one sample; returns what there is to tell. By itself it may alarm `a_day` times.

        `others` is for how long the signals of its agent are strange for nothing: a young one is believed to be like
        them.
        """
        self.share = 0.0
        if not (abs(value) <= LARGEST and abs(at) <= LARGEST):  # nor is NaN
            return ()
        passed = self._passed(at)
        if passed is None:
            return ()
        if sense.counts is not False:
            rate = self._rate(value, passed, sense.counts is True)
            if rate is None:
                return ()
            value = rate
        return self._judge(at, value, passed, sense, a_day, others)

    @property
    def judged(self) -> float | None:
        """What the latest sample was taken for: of a counter its rate. None where nothing is in a row with it."""
        return self.held[1] if self.held is not None else None

    def change(self, at: float, why: LevelWhy) -> None:
        """Something was done to whom it belongs: its level may be another from now on."""
        self.patience.drop()
        self.formed = None
        if self.level.warm:
            self.settling = Settling(at, why)
            self._break()

    def put(self, since: float | None, reach: float) -> None:
        """Let it be out of line since then, or not: the journal knows better than what was kept a while ago."""
        self.told = reach
        if self.since is not None and since is None:
            self.since = self.settling = self.formed = None
        elif self.since is None and since is not None:
            self._enter(since)

    # --- time ---

    def _passed(self, at: float) -> float | None:
        """What has passed since the last sample; None where that was at the same time. A clock may be set back."""
        before, self.at = self.at, at
        if before is None:
            return 0.0
        passed = at - before
        if passed == 0.0:
            return None
        if passed < 0.0:
            return 0.0
        if self.every_s and passed > max(GAP_S, GAP_SAMPLES * self.every_s):
            self._resume(at, passed)
        elif self.every_s:
            self.every_s += _PACE * (passed - self.every_s)
        else:
            self.every_s = passed
        return passed

    def _resume(self, at: float, passed: float) -> None:
        """Go on after a gap."""
        self._break()
        if self.straying is not None:
            self.straying.skip(passed)
        if passed > LONG_GAP_S and self.since is None and self.settling is None:
            self.change(at, "gap")

    def _break(self) -> None:
        self.held = None
        if self.straying is not None:
            self.straying.stop()

    # --- counters ---

    def _rate(self, value: float, passed: float, known: bool) -> float | None:
        """What is to be judged; None where nothing is."""
        counter = self.counter = self.counter or Counter()
        before = counter.last
        if known or self.since is not None:  # what rises because of a trouble does not count
            counter.last = value
        elif counter.take(value):
            self.level, self.usual, self.settling = Level(), self.usual and Usual(), None
            self._break()
        if not (known or counter.counts):
            return value
        return (value - before) / passed if before is not None and value >= before and passed > 0.0 else None

    # --- is it strange? ---

    def _judge(
        self, at: float, value: float, passed: float, sense: Sense, a_day: float, others: Patience
    ) -> tuple[Verdict, ...]:
        settling, level = self.settling, self.level
        if settling is not None and self.since is None and at - settling.since < BEGINNING_S:
            return ()
        if not level.warm:
            level.learn(value, passed, level.spread())
            self.straying = Straying.since(at)
            return ()
        assert self.straying is not None
        least = sense.least_of(level.mean)
        spread = max(level.spread(), FINEST * least)
        far = self._far(at, value, spread)
        minded = least / spread if spread > 0.0 else 0.0
        share, alone = self.straying.take(at, far, minded, self.every_s, a_day, sense)
        self._remember(at, value, far)
        if self.since is not None:
            return self._within(value, passed, alone, spread, others)
        self.share = self._patiently(at, share, others)
        if self.share >= 1.0:
            return (self.begin(value),)
        if settling is not None:
            return self._settle(settling, at, value, passed, spread, least)
        level.learn(value, passed, spread)
        return ()

    def _patiently(self, at: float, share: float, others: Patience) -> float:
        """How strange it is, if it is so for long enough."""
        patience = self.patience
        if share >= 1.0:
            patience.go_on(self.times[0])
        elif patience.now:
            patience.end(at, others)
        if self.silent:
            self.silent -= 1
            return 0.0
        if share < SOMEWHAT:
            return share
        needed = patience.needed(at)
        if self.straying is not None and at - self.straying.began < DAY_S:
            needed = max(needed, others.needed(at))
        return share if needed <= max(HITS, patience.now) else 0.0

    def begin(self, value: float) -> Verdict:
        """An anomaly begins with the sample that was taken last, which was `value`."""
        since = self.patience.since if self.patience.now else self.times[0]
        self._enter(since)
        self.told = max(1.0, self.share)
        levels = (self.level, *((self.formed.level,) if self.formed is not None else ()))
        expected = min((level.mean for level in levels), key=lambda mean: abs(value - mean))
        return Verdict("seen", expected, value, _score(self.told), since)

    def _enter(self, since: float) -> None:
        self.since, self.strange_s, self.calms = since, 0.0, 0
        now = since if self.at is None else self.at
        self.formed = self.settling if self.settling is not None and self.settling.known(now) else None
        self.settling = Settling(since, "held")

    def _far(self, at: float, value: float, spread: float) -> float:
        """How many spreads it is from where it should be, or where it uses to be at this time, or settles."""
        off = value - self.level.mean
        if abs(off) <= GRAIN * abs(value):
            return 0.0
        if self.usual is not None and abs(off) > FAR.line * spread:
            beyond = self.usual.beyond(at, value)
            if beyond is not None and abs(beyond) < abs(off):
                off = beyond
        forming = self.settling if self.since is None else self.formed
        if forming is not None:
            new, known = forming.level, forming.known(at)
            near = value - new.mean if known else 0.0  # until it is known it may be anywhere
            if abs(near) < abs(off):
                off, spread = near, max(spread, new.spread() if known else 0.0)
        if spread > 0.0:
            return max(-BEYOND_MEASURE, min(BEYOND_MEASURE, off / spread))
        return BEYOND_MEASURE if off > 0.0 else -BEYOND_MEASURE if off < 0.0 else 0.0

    def _remember(self, at: float, value: float, far: float) -> None:
        """Keep what was held, by the time of the day, and on which side."""
        self.rising = far > 0.0
        first, second = self.held or (value, value)
        self.held, self.times = (second, value), (*self.times[1:], at)
        if self.usual is not None:
            if self.every_s > RARE_S:
                first = second = value
            self.usual.take(at, max(first, second, value), min(first, second, value))

    # --- new levels ---

    def _within(
        self, value: float, passed: float, share: float, spread: float, others: Patience
    ) -> tuple[Verdict, ...]:
        """Go on in an anomaly, which ends in calm or by becoming the new normal."""
        settling = self.settling
        assert settling is not None
        settling.level.learn(value, passed, spread)
        self.strange_s += min(passed, max(GAP_S, GAP_SAMPLES * self.every_s))
        self.calms = self.calms + 1 if share < CALM else 0
        if self.calms == 0:
            self.patience.go_on(self.times[0])
        over = Verdict("over", self.level.mean, value)
        if self.calms == CALMS:
            assert self.at is not None
            self.patience.end(self.at, others)
            self._end()
            self.settling, self.formed = self.formed if settling.why == "held" else settling, None
            return (over,)
        if self.strange_s < NEW_NORMAL_S or not settling.level.warm:
            return self._further(value, share)
        self._end()
        return over, self._adopt(settling)

    def _further(self, value: float, share: float) -> tuple[Verdict, ...]:
        """Tell of what is out of line once it is much further out than was told."""
        if share < FURTHER * self.told:
            return ()
        self.told = share
        return (Verdict("further", self.level.mean, value, _score(share)),)

    def _settle(
        self, settling: Settling, at: float, value: float, passed: float, spread: float, least: float
    ) -> tuple[Verdict, ...]:
        """Look for the level since a change. Where it is the old one that goes on."""
        new = settling.level
        new.learn(value, passed, spread)
        if at - settling.since < SETTLING_S or not new.warm:
            return ()
        off = abs(new.mean - self.level.mean)
        if off >= max(least, FAR.least * spread) and off > GRAIN * abs(new.mean):
            return (self._adopt(settling),)
        self.settling = None
        return ()

    def _adopt(self, settling: Settling) -> Verdict:
        before, self.level, self.settling, self.formed = self.level.mean, settling.level, None, None
        self._break()
        now = self.level.mean
        return Verdict("level", before, now, since=settling.since, why=settling.why)

    def _end(self) -> None:
        self._break()
        self.since, self.silent, self.calms = None, REFRACTORY, 0
        self.patience.drop()


def _score(share: float) -> float:
    """From 0 to 1, one half at the bar."""
    return share / (1.0 + share)
