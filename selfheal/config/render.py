"""What may stand in `selfheal.toml` about a service that Render runs?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from selfheal.config.address import is_loopback
from selfheal.config.section import Section
from selfheal.config.units import Duration, Size

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
    memory: Size | None = Field(None, description="What its plan gives it: prediction extrapolates to that.")
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


def trouble_of_api(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with how Render's API is to be reached, and what would be right; None where nothing is."""
    key, url = environment.get(API_KEY, "").strip(), environment.get(API_URL, "").strip()
    cure = f"set {API_KEY} in the daemon's environment (Account Settings, API Keys, in Render's dashboard)"
    if not key:
        return f"a service at Render needs {API_KEY}, which is not set", cure
    if not (key.isascii() and key.isprintable()) or " " in key:
        return f"{API_KEY} holds what no header can carry", cure
    if url and not may_have_a_key(url):
        return (
            f"{API_URL} is no address to which the key may go",
            "unset it, or write https://…/v1; http:// is for this machine alone",
        )
    return None


def may_have_a_key(url: str) -> bool:
    """Whether a key may be sent to `url`: nobody reads along, and nothing of it is a secret itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    plain = parts.username is None and not parts.query and not parts.fragment
    return bool(host) and plain and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
