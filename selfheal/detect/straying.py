"""How strange is it that a signal is so far out, given how far it strays by itself?

Two ways to be strange: far out for three samples in a row, of which the least far counts; and less far, but lasting, in
the mean of the latest ones. Each has a bar that follows from how often the signal did that before for nothing.
"""

from __future__ import annotations

import msgspec

from selfheal.detect.patience import HITS
from selfheal.detect.tail import Prior, Spikes, Tail
from selfheal.measures import Sense

# In spreads. A lasting shift of six is beyond the least bar in 97 samples of 100.
FAR = Prior(line=2.0, least=4.0, most=16.0, samples=10_000.0, excess=0.3, shape=0.02, peaks=4.0)
# About nine samples make the mean, and none of them counts for more than REACH: three spikes make it rise beyond its
# least bar, two do not.
LATELY, REACH = 0.2, 7.0
LASTING = Prior(line=1.0, least=3.0, most=7.0, samples=10_000.0, excess=0.3, shape=0.02, peaks=4.0)


class Straying(msgspec.Struct, array_like=True):
    """The latest distances of one signal, in spreads, and those that were peaks. It is changed in place, for its
    speed.
    """

    far: Tail
    spikes: Spikes
    lasting: Tail
    latest: tuple[float, float] = (0.0, 0.0)
    lately: float = 0.0

    @classmethod
    def since(cls, at: float) -> Straying:
        """Nothing is known before that."""
        return cls(Tail(at), Spikes(at), Tail(at))

    @property
    def began(self) -> float:
        """From when on it was looked at."""
        return self.far.began

    def take(
        self, at: float, far: float, minded: float, every_s: float, a_day: float, sense: Sense
    ) -> tuple[float, float]:
        """Take how far one sample is out; returns how strange that is with those before, and alone, where 1 is the bar.

        What is not `minded` spreads away is not strange. Each of both ways may alarm `a_day` times.
        """
        alone = _strange(far, sense)
        least_far = self._least_far(far)
        bar = self._bar(at, _strange(least_far, sense), alone, every_s, a_day) if alone >= FAR.line else FAR.least
        share = _strange(least_far, sense) / max(bar, minded)
        self.lately += LATELY * (max(-REACH, min(REACH, far)) - self.lately)
        mean = _strange(self.lately, sense)
        if mean >= LASTING.line:
            lasting = self.lasting.bar(at, every_s, a_day, LASTING)
            self.lasting.rise(at, mean, lasting, every_s, LASTING.line)
            if self.lately * far > 0.0:
                share = max(share, mean / max(lasting, minded))
        return share, alone / max(bar, minded)

    def stop(self) -> None:
        """What comes next is in no row with what was."""
        self.latest, self.lately = (0.0, 0.0), 0.0

    def skip(self, seconds: float) -> None:
        """Nobody looked for so long."""
        self.stop()
        self.far.skip(seconds)
        self.lasting.skip(seconds)

    def _least_far(self, far: float) -> float:
        """The least distance of the last three, where all are on one side."""
        first, second = self.latest
        self.latest = (second, far)
        least, most = min(first, second, far), max(first, second, far)
        return least if least > 0.0 else min(0.0, most)

    def _bar(self, at: float, held: float, alone: float, every_s: float, a_day: float) -> float:
        """Where the bar is now. What was held, and what a sample is alone, are learned for later ones."""
        bar = max(self.far.bar(at, every_s, a_day, FAR), self.spikes.bar(at, every_s, a_day, HITS))
        if held >= FAR.line:
            self.far.rise(at, held, bar, every_s, FAR.line)
        if abs(self.latest[0]) < FAR.line:  # else it is one with the sample before
            self.spikes.rise(alone, FAR.line)
        return bar


def _strange(far: float, sense: Sense) -> float:
    """How far that is in a direction that is strange."""
    return abs(far) if (sense.rises if far > 0.0 else sense.falls) else 0.0
