"""What may stand in `selfheal.toml` about a service that Render runs?"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from selfheal.config.section import Section
from selfheal.config.units import Duration

API_KEY, OWN_SERVICE, API_URL = "RENDER_API_KEY", "RENDER_SERVICE_ID", "RENDER_API_URL"
_ID = re.compile(r"(srv|crn|dpg|red)-[A-Za-z0-9-]{1,60}")


def _is_an_id(service: str) -> str:
    if not _ID.fullmatch(service):
        raise ValueError(
            f"{service!r} is no id of Render's; write the one in the address of its page in the dashboard, such as "
            f"'srv-…' (a service), 'crn-…' (a cron job), 'dpg-…' (PostgreSQL) or 'red-…' (Key Value)"
        )
    return service


class RenderConfig(Section):
    """The part of an agent that is a service at Render. Kinds of it mix it in."""

    service: Annotated[str, AfterValidator(_is_an_id)] = Field(description="Its id: srv-…, crn-…, dpg-… or red-….")
    interval: Duration = Field(
        60.0, gt=0, description="Render is asked how it is each so often: four calls of its API."
    )
    timeout: Duration = Field(30.0, gt=0, description="What Render does not answer by then is not known.")

    @property
    def is_postgres(self) -> bool:
        return self.service.startswith("dpg-")

    @property
    def is_store(self) -> bool:
        """Whether it is a PostgreSQL or a Key Value, which is never deployed."""
        return self.service.startswith(("dpg-", "red-"))

    @property
    def runs(self) -> bool:
        """Whether it is a service whose instances are there all the time."""
        return self.service.startswith("srv-")


def render_of(agent: Section) -> RenderConfig | None:
    """The service at Render that an agent of any kind is, or None where it is none."""
    return agent if isinstance(agent, RenderConfig) else None
