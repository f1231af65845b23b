"""JSON documents and files of JSON lines: how are they looked at, copied, salvaged, put back and mended?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from selfheal.data import inplace, jsoncopy, jsonsalvage
from selfheal.data.asset import Health, Proof, Salvaged, Swapped, Tell, untold
from selfheal.data.jsonlook import Asked, Fault, Look, is_kept, look
from selfheal.data.jsonmemory import Memory
from selfheal.data.jsonmend import truncate_tail
from selfheal.data.jsonplaces import Places
from selfheal.data.jsonschema import Judge, judge_of
from selfheal.data.writers import file_time, pause
from selfheal.errors import DataFailed

# The worst first: the cause of a look is that of the worst that was found.
_BY_WEIGHT = ("missing_data", "corrupted", "schema_broken", "torn_tail", "stale")
_TOLD = 3
# Who exchanges a file without a rename leaves none for a moment.
_GONE_TRIES, _GONE_S = 3, 0.1


class JsonAsset(msgspec.Struct, frozen=True, kw_only=True, tag="json"):
    """One file, or all that match a pattern. What `None` means is in the configuration of the kind.

    `room` and `sparing` are the job's: see `Asset`.
    """

    agent: str
    path: Path
    pattern: str = ""
    lines: bool | None = None
    append_only: bool = True
    max_age: float | None = None
    max_drop: float | None = None
    schema: Path | None = None
    required: Mapping[str, str] = {}
    room: Path | None = None
    sparing: bool = False

    @property
    def mends(self) -> Mapping[str, str]:
        return {"truncate_tail": "torn_tail"}

    def examine(self, memory: Path, *, thorough: bool, tell: Tell = untold) -> Health:
        memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        known, now, judge = Memory(memory), file_time(memory), self._judge()
        looks = {}
        files = self._places.files()
        for done, path in enumerate(files):
            tell("looking", done / len(files))
            told = tell if len(files) == 1 else untold
            looks[path] = self._look(path, known, self._asked(path, now, judge, told, thorough=thorough))
            known.note(path, looks[path].seen)
        faults = [fault for found in looks.values() for fault in found.faults]
        faults += self._missing(known, looks) + self._stale(looks, now)
        known.keep()
        return self._health(looks, faults, now)

    def capture(self, into: Path, tell: Tell = untold) -> Proof:
        judge = self._judge()
        began = jsoncopy.capture(self._places, into, append_only=self.append_only, tell=tell)
        return msgspec.structs.replace(jsoncopy.prove(self._places, into, judge, tell), as_of=began)

    def prove(self, copy: Path, tell: Tell = untold) -> Proof:
        return jsoncopy.prove(self._places, copy, self._judge(), tell)

    def salvage(self, into: Path, tell: Tell = untold) -> Salvaged:
        """As the protocol has it. Lines that have changed since they were seen are not taken, be they ever so sound."""
        known = Memory(self.room) if self.room is not None else None
        before = {path: seen for path in self._places.files() if known and (seen := known.seen(path))}
        if not self.append_only:
            before = {path: seen for path, seen in before.items() if seen.lines is None}
        judge = self._judge()
        lost = jsonsalvage.salvage(self._places, into, judge, before, tell)
        return Salvaged(jsoncopy.prove(self._places, into, judge, tell), lost)

    def prepare(self, copy: Path, ticket: str, tell: Tell = untold) -> str | None:
        files = {self._places.target(copy, file): file for file in sorted(copy.rglob("*")) if file.is_file()}
        sound = self._sound(list(files), file_time(copy)) if self.sparing else frozenset()
        wanted = {target: file for target, file in files.items() if target not in sound} or files
        inplace.prepare(self._base, ticket, wanted, tell=tell)
        spared = len(files) - len(wanted)
        return f"{spared:,} of {len(files):,} files are sound and stay as they are" if spared else None

    def swap(self, ticket: str, tell: Tell = untold) -> Swapped:
        return inplace.swap(self._base, ticket, tell)

    def mend(self, how: str, tell: Tell = untold) -> str:
        if how not in self.mends:
            raise DataFailed(f"cannot mend {self.agent} by {how!r}: there is only {', '.join(self.mends)}")
        of_lines = [path for path in self._places.files() if self._places.holds_lines(path)]
        done = [truncate_tail(path, tell) for path in of_lines]
        return "; ".join(filter(None, done)) or "there was nothing to mend"

    @property
    def _places(self) -> Places:
        return Places.of(self.path, self.pattern, self.lines)

    @property
    def _base(self) -> Path:
        return self._places.base(self.agent)

    def _judge(self) -> Judge | None:
        return judge_of(self.schema, self.required)

    def _asked(self, path: Path, now: float, judge: Judge | None, tell: Tell, *, thorough: bool) -> Asked:
        append_only = self.append_only and self._places.holds_lines(path)
        return Asked(self._base, now, thorough, append_only, self.max_drop, judge, tell)

    def _sound(self, paths: Iterable[Path], now: float) -> frozenset[Path]:
        """Those that need nothing, by a thorough look and all that was seen before."""
        known, judge = Memory(self.room) if self.room is not None else None, self._judge()
        found = set()
        for path in paths:
            asked = self._asked(path, now, judge, untold, thorough=True)
            with contextlib.suppress(FileNotFoundError, DataFailed):
                seen = known.seen(path) if known is not None else None
                if not look(path, seen, asked, lines=self._places.holds_lines(path)).faults:
                    found.add(path)
        return frozenset(found)

    def _look(self, path: Path, known: Memory, asked: Asked) -> Look:
        seen, lines = known.seen(path), self._places.holds_lines(path)
        for _ in range(_GONE_TRIES):
            try:
                return look(path, seen, asked, lines=lines)
            except FileNotFoundError:
                pause(_GONE_S)
        if self._places.many:
            return Look(None)
        if seen is not None and not seen.waiting and is_kept(path, seen):
            return Look(msgspec.structs.replace(seen, waiting=True))  # its writer begins a new one: it has one look
        return Look(seen, faults=[Fault("missing_data", f"{path.name} is not there")])

    def _missing(self, known: Memory, looks: Mapping[Path, Look]) -> list[Fault]:
        """Files of a pattern come and go; that all go, or more than are allowed to, is a loss."""
        if not self._places.many:
            return []
        if not looks:
            return [Fault("missing_data", f"no file matches {self._places.pattern} in {self._places.folder}")]
        gone = [name for name in known.before if Path(name) not in looks]
        if self.max_drop is None or len(gone) <= self.max_drop * len(known.before):
            return []
        for name in gone:
            known.note(Path(name), known.before[name])
        return [
            Fault("missing_data", f"{len(gone):,} files of {len(known.before):,} are gone: {Path(gone[0]).name}, …")
        ]

    def _stale(self, looks: Mapping[Path, Look], now: float) -> list[Fault]:
        newest = max((found.mtime for found in looks.values()), default=0.0)
        if self.max_age is None or not newest or now - newest <= self.max_age:
            return []
        return [Fault("stale", f"nothing was written for {now - newest:,.0f} s")]

    def _health(self, looks: Mapping[Path, Look], faults: list[Fault], now: float) -> Health:
        faults = sorted(faults, key=lambda fault: _BY_WEIGHT.index(fault.cause))
        counts: dict[str, float] = {"files": len(looks)}
        for path, found in looks.items():
            what = "lines" if self._places.holds_lines(path) else "items"
            counts[what] = counts.get(what, 0) + found.count
        signals = {name: count for name, count in counts.items() if name != "files"}
        signals["bytes"] = sum(found.size for found in looks.values())
        signals["unfinished"] = sum(found.unfinished for found in looks.values())
        if newest := max((found.mtime for found in looks.values()), default=0.0):
            signals["age"] = max(0.0, now - newest)
        more = f"; and {len(faults) - _TOLD:,} more" if len(faults) > _TOLD else ""
        reason = "; ".join(fault.reason for fault in faults[:_TOLD]) + more
        return Health(reason, faults[0].cause if faults else "", signals, counts)
