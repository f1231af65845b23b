"""Which rows of recorded series are strange? No daemon is asked, and nothing is done."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from selfheal.cli.output import plain, say, show_json, to_stdout
from selfheal.cli.progress import Bar
from selfheal.cli.verb import FAILED, Group, Verb, WrongUse, a_path, as_json
from selfheal.errors import SelfhealError

if TYPE_CHECKING:
    from array import array

# Rows between two looks at the bar.
_STEP = 20_000


class Answer(NamedTuple):
    """What was found in one file: for each row its score and whether it raises an alarm, in the order of the file."""

    file: Path
    columns: tuple[str, ...]
    scores: array[float]
    alarms: bytearray
    seconds: float

    def told(self) -> dict[str, object]:
        """The figures of it."""
        return {
            "file": str(self.file),
            "rows": len(self.scores),
            "columns": len(self.columns),
            "alarms": sum(self.alarms),
            "seconds_per_sample": self.seconds / max(1, len(self.scores) * len(self.columns)),
        }


def _detect(arguments: Namespace) -> int:
    """Do every file; one that cannot be read or written is told, and the others are done."""
    files: Sequence[Path] = arguments.file
    _meant(files, arguments.out)
    done, code, bar = [], 0, Bar("detecting")
    for place, file in enumerate(files):
        try:
            answer = _answered(file, bar, place / len(files), 1 / len(files))
            bar.clear()
            if arguments.out or not arguments.json:
                _write(answer, arguments.out)
        except SelfhealError as why:
            bar.clear()
            say(plain(str(why)))
            code = FAILED
            continue
        done.append(answer)
    if arguments.json:
        show_json(_document(done))
    return code


def _meant(files: Sequence[Path], out: Path | None) -> None:
    """Raise WrongUse for what cannot be meant, before any work."""
    if out is None:
        if len(files) > 1:
            raise WrongUse("cannot write several files to stdout; say where with --out DIR")
        return
    named: dict[str, Path] = {}
    for file in files:
        if (other := named.setdefault(file.name, file)) is not file:
            raise WrongUse(f"cannot write {str(other)!r} and {str(file)!r} to one name in {str(out)!r}; do them apart")
        if (out / file.name).resolve() == file.resolve():
            raise WrongUse(f"cannot write over {str(file)!r}, which is read; say another --out")


def _answered(file: Path, bar: Bar, begun: float, share: float) -> Answer:
    from array import array

    from selfheal.clock import RealClock
    from selfheal.detect.stream import watch
    from selfheal.recorded.series_files import read_series

    bar(file.name, begun)
    recorded, clock = read_series(file), RealClock()
    rows, many = watch(len(recorded.columns)), len(recorded.at)
    scores, alarms = array("d", bytes(8 * many)), bytearray(many)
    began = clock.monotonic()
    for done, place in enumerate(recorded.in_time()):
        scores[place], alarms[place] = rows.take(recorded.at[place], recorded.row(place))
        if done % _STEP == 0:
            bar(file.name, begun + share * done / many)
    return Answer(file, recorded.columns, scores, alarms, clock.monotonic() - began)


def _write(answer: Answer, out: Path | None) -> None:
    from selfheal.recorded.series_files import write_series

    with to_stdout() if out is None else _beside(out, answer.file.name) as stream:
        write_series(answer.file, zip(answer.scores, answer.alarms, strict=True), stream or sys.stdout)


@contextmanager
def _beside(out: Path, name: str) -> Iterator[TextIO]:
    """A file in the folder that is there as a whole or not at all."""
    part = out / f".{name}.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        part.replace(out / name)
    except OSError as why:
        raise SelfhealError(f"cannot write {str(out / name)!r}: {why.strerror or why}") from why
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _document(done: Sequence[Answer]) -> dict[str, object]:
    from selfheal.detect.stream import configuration

    samples = sum(len(one.scores) * len(one.columns) for one in done)
    return {
        "configuration": dict(configuration()),
        "seconds_per_sample": sum(one.seconds for one in done) / max(1, samples),
        "files": [one.told() for one in done],
    }


def _files(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=a_path, nargs="+", metavar="FILE", help="timestamp,value[,value…] as CSV")


def _out(parser: ArgumentParser) -> None:
    told = "write DIR/<same name> for each file, with anomaly_score and is_anomaly; one file goes to stdout without it"
    parser.add_argument("--out", type=a_path, metavar="DIR", help=told)


GROUP = Group(
    "Recorded series",
    (
        Verb(
            "detect",
            "Which rows of recorded series are strange?",
            "detect cpu.csv latency.csv --out found",
            _detect,
            (_files, _out, as_json),
        ),
    ),
)
