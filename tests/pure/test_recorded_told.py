"""What does a backtest tell of the alarms that a model raised?"""

from __future__ import annotations

from selfheal.predict.alarms import Step, Task, Watched, raised
from selfheal.predict.recording import Recording, Samples
from selfheal.predict.replay import known
from selfheal.recorded.backtest import told

TASK = Task(horizon_s=7200.0, lead_s=1800.0)


def test_an_alarm_is_told_where_its_own_step_is_less_sure_than_those_before_it() -> None:
    at = [300.0 * number for number in range(1, 101)]
    (one,) = known(Recording(("rss",), {"site": Samples(at, {"rss": at})}, (), {"site": {"rss": 1e6}}), TASK)
    unsure = 18000.0
    steps = [Step(when, 0.4 if when == unsure else 0.9 if when >= 12000.0 else 0.0) for when in at]
    seen = Watched(steps, [])
    due = [steps[place].at for place in raised(seen, 0.5, TASK)]
    alarms, predictions = told(one, seen, None, 0.5, TASK)
    assert unsure in due
    assert [alarm.at for alarm in alarms] == due
    assert [said.at for said in predictions] == [when for when in at if when >= 12000.0]
