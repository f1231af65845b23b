"""What does a daemon miss that runs at Render, as far as it can be seen from within?

Without Telegram it does not start (`rules`): nobody would hear of anything. The rest is said at the start, a sentence
each, for all of it comes to light too late otherwise: at the next deploy, or in the night.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from selfheal.config.models import DaemonConfig
from selfheal.config.render import OWN_SERVICE

# What Render waits after SIGTERM where nobody has said otherwise, before it kills.
SHUTDOWN_S = 30.0


def missing_at_render(daemon: DaemonConfig, environment: Mapping[str, str], *, on_a_disk: bool) -> Iterator[str]:
    """Say what is missing and what to do about it. `on_a_disk` says that the state directory outlives the instance."""
    if not environment.get("RENDER"):
        yield "this is not Render (RENDER is not set); turn RENDER_MODE off, or nothing of what follows applies"
    if not on_a_disk:
        yield (
            f"the state directory {str(daemon.state_dir)!r} is on no disk of its own: journal and all that was learned "
            f"are lost with each deploy and restart; add a disk, and point SELFHEAL_STATE_DIR below its mountPath"
        )
    if environment.get("RENDER_SERVICE_TYPE") == "worker" and daemon.gateway_url is None:
        yield (
            "a background worker receives no traffic, and there is no gateway: page, API and metrics can be seen by "
            "nobody; set SELFHEAL_GATEWAY_URL and SELFHEAL_GATEWAY_TOKEN, as render.yaml does"
        )
    if environment.get("RENDER") and not environment.get(OWN_SERVICE):
        yield f"{OWN_SERVICE} is not set: a fix could be done to the very service that this daemon is; set it to its id"
    if daemon.stop_timeout > SHUTDOWN_S:
        yield (
            f"daemon.stop_timeout is {daemon.stop_timeout:g} s, and Render kills after {SHUTDOWN_S:g} s unless "
            f"maxShutdownDelaySeconds says more; set that, or a shorter stop_timeout"
        )
