"""Which agents does a person mean?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from selfheal.compose.fleet import AgentPlan
from selfheal.errors import RefusedByPolicy, UnknownName

_WILD = frozenset("*?[")


def chosen(
    words: Sequence[str], plans: Mapping[str, AgentPlan], groups: Mapping[str, Sequence[str]], verb: str
) -> tuple[str, ...]:
    """The agents that `words` name, each once, in the order of the fleet. `groups` are names with their instances.

    A pattern passes over what is no process of ours. Raises UnknownName for a word that leads nowhere, never all, and
    RefusedByPolicy where what is named has no process to `verb`.
    """
    meant: set[str] = set()
    for word in words:
        found = _named(word, plans, groups)
        if not found:
            raise UnknownName(f"cannot find agent {word!r}; 'selfheal agents' lists them")
        processes = [name for name in found if plans[name].launch is not None]
        if not processes:
            kinds = sorted({plans[name].kind.name for name in found})
            raise RefusedByPolicy(f"cannot {verb} {word!r}: it is a {' or '.join(kinds)}, not a process of this daemon")
        meant.update(processes)
    if not meant:
        raise UnknownName(f"cannot {verb} anything: no agent was named; 'selfheal agents' lists them")
    return tuple(name for name in plans if name in meant)


def _named(word: str, plans: Mapping[str, AgentPlan], groups: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """A name of the file means all its instances; NAME:0 is the first of them, also where that has kept its name."""
    if word in groups:
        return [name for name in groups[word] if name in plans]
    if word in plans:
        return [word]
    single = word.removesuffix(":0")
    if single != word and single in groups and single in plans:
        return [single]
    return [name for name in plans if fnmatchcase(name, word)] if _WILD.intersection(word) else []
