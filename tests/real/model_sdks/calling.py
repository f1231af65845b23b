"""What the stand-ins for the makers' packages share: one POST, tried again as they do it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from types import SimpleNamespace

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 529})


class APIConnectionError(Exception):
    """There was no answer."""


class APITimeoutError(APIConnectionError):
    """There was none in time."""


class APIStatusError(Exception):
    """The answer says that it went wrong; like the real one it repeats what was answered."""

    def __init__(self, status_code: int, said: str) -> None:
        super().__init__(f"Error code: {status_code} - {said}")
        self.status_code = status_code


def post(url: str, headers: dict[str, str], body: dict[str, object], timeout_s: float, retries: int) -> object:
    """POST `body` and return the answer, its objects as such."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {**headers, "content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return json.loads(response.read(), object_hook=lambda found: SimpleNamespace(**found))
    except urllib.error.HTTPError as why:
        if why.code in RETRIED and retries:
            return post(url, headers, body, timeout_s, retries - 1)
        raise APIStatusError(why.code, why.read().decode()) from why
    except TimeoutError as why:
        raise APITimeoutError("Request timed out.") from why
    except (OSError, HTTPException) as why:
        if retries:
            return post(url, headers, body, timeout_s, retries - 1)
        raise APIConnectionError(str(why)) from why
