"""What is an address, and can other machines reach it?"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535

Endpoint = tuple[str, int]
"""A host and a port."""


def split_address(text: str) -> Endpoint:
    """Take `host:port` or `[IPv6]:port` apart. Raises ValueError where it is neither."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT or not _is_host(match["host"], match["v6"]):
        raise ValueError(f"{text!r} is not host:port; write it as '127.0.0.1:8787' or '[::1]:8787'")
    return match["host"] or match["v6"], int(match["port"])


def endpoint_of(url: str) -> Endpoint:
    """The host and port that a URL of http, https, ws or wss leads to."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme in ("https", "wss") else 80)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def url_from_here(host: str, port: int) -> str:
    """Return the URL at which this machine reaches who listens at an IP address, or at all of them."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"


def check_address(text: str) -> str:
    """Return `text` where it is host:port; raises ValueError else."""
    split_address(text)
    return text


def check_host(text: str) -> str:
    """Return `text` where it is an IP address or the name of a host; raises ValueError else."""
    try:
        split_address(f"[{text}]:0" if ":" in text else f"{text}:0")
        text.encode("idna")
    except ValueError:  # UnicodeError is one: a label that is empty or longer than 63 characters
        raise ValueError(f"{text!r} is not a host; write a name such as 'example.org', or an IP address") from None
    return text


def check_url(text: str, example: str = "http://127.0.0.1:8000/health") -> str:
    """Return `text` where it is an http or https URL with a host; raises ValueError, which does not show it, else."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that is no number
        good = False
    if not good or any(c.isspace() for c in text):
        raise ValueError(f"this is not a URL that can be asked; write it as {example!r}")
    return text


def _is_host(host: str | None, v6: str | None) -> bool:
    if v6 is None:
        return host is not None
    try:
        ipaddress.IPv6Address(v6)
    except ValueError:
        return False
    return True
