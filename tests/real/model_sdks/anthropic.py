"""Stands in for the package of this name: as much of it as is used, with nothing found in the environment."""

from __future__ import annotations

from types import SimpleNamespace

from calling import post  # type: ignore[import-not-found]


class Anthropic:
    """The client; all that it needs has to be given."""

    def __init__(self, *, api_key: str, base_url: str, timeout: float, max_retries: int) -> None:
        self._given = (api_key, base_url, timeout, max_retries)
        self.messages = SimpleNamespace(create=self._create)

    def __enter__(self) -> Anthropic:
        return self

    def __exit__(self, *ended: object) -> None:
        pass

    def _create(
        self, *, model: str, max_tokens: int, system: str, messages: object, extra_body: dict[str, object]
    ) -> object:
        key, url, timeout_s, retries = self._given
        body = {"model": model, "max_tokens": max_tokens, "system": system, "messages": messages} | extra_body
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        return post(f"{url}/v1/messages", headers, body, timeout_s, retries)
