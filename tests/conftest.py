"""What holds for every test? Warnings as errors and the time limit stand in pyproject.toml."""

from __future__ import annotations

import os
import re
import signal

from hypothesis import HealthCheck, settings

# What selfheal reads from its environment. A developer's own settings, tokens above all, do not reach the tests.
OURS = re.compile(
    r"SELFHEAL_|TELEGRAM_|ANTHROPIC_|OPENAI_|RENDER|OTEL_"
    r"|(PORT|CHAOS_ENABLED|SELF_HEALING_INTERVAL|PREVENTION_INTERVAL|ML_RETRAIN_INTERVAL)$"
)

# How long an example takes says something about the machine, not about the code. With CI set, Hypothesis itself takes
# the same examples each time.
settings.register_profile("selfheal", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure() -> None:
    for name in filter(OURS.match, list(os.environ)):
        del os.environ[name]
    settings.load_profile("selfheal")
    # What a shell runs in the background is deaf to Ctrl-C, and so would be every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
