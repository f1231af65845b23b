"""Stands in for the package of this name: as much of it as is used, with nothing found in the environment."""

from __future__ import annotations

from types import SimpleNamespace

from calling import post  # type: ignore[import-not-found]


class OpenAI:
    """The client; all that it needs has to be given."""

    def __init__(self, *, api_key: str, base_url: str, timeout: float, max_retries: int) -> None:
        self._given = (api_key, base_url, timeout, max_retries)
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._create))

    def __enter__(self) -> OpenAI:
        return self

    def __exit__(self, *ended: object) -> None:
        pass

    def _create(
        self, *, model: str, max_completion_tokens: int, store: bool, messages: object, response_format: object
    ) -> object:
        key, url, timeout_s, retries = self._given
        body = {
            "model": model, "max_completion_tokens": max_completion_tokens, "store": store, "messages": messages,
            "response_format": response_format,
        }  # fmt: skip
        return post(f"{url}/chat/completions", {"authorization": f"Bearer {key}"}, body, timeout_s, retries)
