"""What may stand in the file, in the words of JSON Schema?"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from selfheal.config.agents import Kinds
from selfheal.config.models import AgentConfig, CheckConfig, Config, Section

Schema = dict[str, object]


def schema(
    agent_models: Mapping[str, type[AgentConfig]],
    check_models: Mapping[str, type[CheckConfig]],
    fix_models: Mapping[str, type[Section] | None],
) -> Schema:
    """Return the JSON Schema (draft 2020-12) of the whole file, with every kind, default and description."""
    kinds = Kinds(agent_models, check_models)
    told = {name: model for name, model in fix_models.items() if model is not None}
    models: list[type[BaseModel]] = [
        Config, AgentConfig, CheckConfig, *agent_models.values(), *check_models.values(), *told.values()
    ]  # fmt: skip
    references, definitions = models_json_schema([(model, "validation") for model in models])
    parts: dict[str, Schema] = definitions["$defs"]

    def part(model: type[BaseModel]) -> Schema:
        return parts[_name(references[model, "validation"])]

    for kind, check in check_models.items():
        _require(part(check), kind)
    for kind, agent in agent_models.items():
        if kind != kinds.of_a_command:
            _require(part(agent), "kind")
        _hold(part(agent), {name: references[model, "validation"] for name, model in told.items()})
    _become_one_of(part(CheckConfig), [references[model, "validation"] for model in check_models.values()])
    _become_one_of(part(AgentConfig), [references[model, "validation"] for model in agent_models.values()])
    top = parts.pop(_name(references[Config, "validation"]))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "title": "selfheal.toml", "$defs": parts}


def _require(part: Schema, key: str) -> None:
    required = part.setdefault("required", [])
    if isinstance(required, list) and key not in required:
        required.append(key)


def _hold(agent: Schema, fixes: Mapping[str, Schema]) -> None:
    """What an agent's fixes are told is a table for each, and no other."""
    properties = agent["properties"]
    assert isinstance(properties, dict)
    properties["healing"] |= {"properties": dict(fixes), "additionalProperties": False}


def _become_one_of(part: Schema, references: list[dict[str, object]]) -> None:
    """A base class stands for its kinds: whoever refers to it refers to one of them."""
    description = part.get("description", "")
    part.clear()
    part |= {"description": description, "anyOf": references}


def _name(reference: Mapping[str, object]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
