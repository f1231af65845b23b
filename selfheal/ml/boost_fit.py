"""How are boosted trees fitted? By XGBoost, in the child and by verbs that work on files: nothing else imports this.

Small trees of gradient boosting on the logistic loss. Rows come oldest first: how many trees there shall be is read off
the newest fifth, then all rows are used. Rare failures are left as rare as they are: to weigh them up
(`scale_pos_weight`) finds no more of them, and spoils what the numbers mean.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType, ModuleType

import msgspec

from selfheal.ml.boost import Booster
from selfheal.ml.boost_export import exported
from selfheal.ml.calibration import calibrated
from selfheal.ml.lessons import CannotLearn, Lesson, Row
from selfheal.ml.trees import NoTrees, cells_of


@dataclass(frozen=True, slots=True)
class Size:
    """How deep a tree is, at most how many there are, how much of what it finds each of them adds, and how much each
    of its leaves holds `least`: rows by how undecided they are, p (1 - p), or just so many rows of a quantile.

    Few features together tell of a failure, and what comes of deeper trees on a hundred incidents is chance.
    """

    depth: int = 4
    trees: int = 200
    rate: float = 0.1
    least: float = 1.0


USUAL = Size()
# A tree sees half of the rows and features: neighbours in time are much alike. With engines that ran to failure neither
# this share nor depth nor rate made a difference beyond chance (benchmarks/engines.py).
_SOME = 0.5
# The newest share of the rows says when to stop; where it holds fewer of either kind it says nothing …
_TAIL, _LEAST_IN_TAIL, _PATIENCE = 0.2, 5, 20
# … and then there are as many trees as cannot do much harm.
_TREES_BLIND = 50
# So far single sums of two hundred leaves are apart from double ones, and ten times that.
_SAME = 1e-4
# The library imports these where they are there, for its own other interfaces: a second and 65 MB.
_NOT_NEEDED = ("sklearn", "pandas")


def fit(
    rows: Sequence[Row],
    labels: Sequence[bool],
    features: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    calibration: tuple[Sequence[Row], Sequence[bool]] | None = None,
    seed: int = 0,
    monotone: Mapping[str, int] = MappingProxyType({}),
    size: Size = USUAL,
) -> Booster:
    """Return a booster of rows, oldest first, and of whether it happened after each; the same for the same seed.

    `rows` are (n, features), NaN for what was not seen. `calibration` are rows and labels of another time, by which
    its probabilities are corrected. `monotone` has 1 for a feature that can only make it likelier, -1 for one that can
    only make it less likely. `size` is for who has thousands of failures, or next to none. Raises CannotLearn,
    NothingToLearn, and ValueError where the sizes do not fit.
    """
    seen = Lesson(rows, labels, weights)
    seen.check(len(features))
    with library() as xgboost:
        settings, all_rows = settings_for(features, seed, monotone, size), _matrix_of(xgboost, seen)
        fitted = xgboost.train(settings, all_rows, _enough(xgboost, seen, settings, size.trees))
        booster = exported(bytes(fitted.save_raw("json")), features)
        _compare(booster, rows, fitted.predict(all_rows, output_margin=True).tolist())
    if calibration is None:
        return booster
    margins = [booster.margin(row) for row in calibration[0]]
    return msgspec.structs.replace(booster, calibration=calibrated(margins, calibration[1]))


def fit_quantile(
    rows: Sequence[Row], targets: Sequence[float], features: Sequence[str], quantile: float, *, seed: int, size: Size
) -> Booster:
    """Return a booster whose margin is the value below which such a share of the targets of such rows lie.

    Trees on the pinball loss (Koenker and Bassett, Econometrica 46, 1978), `size.trees` of them. Raises CannotLearn.
    """
    with library() as xgboost:
        settings = {
            **settings_for(features, seed, {}, size),
            "objective": "reg:quantileerror", "quantile_alpha": quantile, "eval_metric": "quantile",
        }  # fmt: skip
        all_rows = matrix(xgboost, rows, targets)
        fitted = xgboost.train(settings, all_rows, size.trees)
        booster = exported(bytes(fitted.save_raw("json")), features, of_chances=False)
        _compare(booster, rows, fitted.predict(all_rows, output_margin=True).tolist())
    return booster


def name_of_library() -> str:
    """The library with its version, for what was learned. Raises CannotLearn."""
    with library() as xgboost:
        return f"xgboost {xgboost.__version__}"


@contextmanager
def library() -> Iterator[ModuleType]:
    """XGBoost, with no more than it needs. Raises CannotLearn."""
    hidden = [name for name in _NOT_NEEDED if not {name, "xgboost"} & sys.modules.keys()]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # so an import of it fails
    try:
        import xgboost  # noqa: PLC0415 - a third of a second, only where something is fitted
    except ImportError as why:
        raise CannotLearn("boosted trees", "XGBoost", "ml", why) from why
    finally:
        for name in hidden:
            del sys.modules[name]
    with xgboost.config_context(verbosity=0):
        yield xgboost


def settings_for(
    features: Sequence[str], seed: int, monotone: Mapping[str, int], size: Size = USUAL
) -> dict[str, str | int | float]:
    """What the library is told."""
    settings: dict[str, str | int | float] = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "max_depth": size.depth,
        "eta": size.rate,
        "min_child_weight": size.least,
        "subsample": _SOME,
        "colsample_bytree": _SOME,
        "nthread": 1,
        "seed": seed % 2**31,
    }
    if any(monotone.values()):
        settings["monotone_constraints"] = "(" + ",".join(str(monotone.get(name, 0)) for name in features) + ")"
    return settings


def _enough(xgboost: ModuleType, seen: Lesson, settings: Mapping[str, str | int | float], most: int) -> int:
    """How many trees are best for the newest rows, by trees of those before."""
    until = len(seen.rows) - int(len(seen.rows) * _TAIL)
    older, newer = seen.part(0, until), seen.part(until, len(seen.rows))
    if min(older.rarer, newer.rarer) < _LEAST_IN_TAIL:
        return _TREES_BLIND
    stopped = xgboost.train(
        settings, _matrix_of(xgboost, older), most, evals=[(_matrix_of(xgboost, newer), "newer")],
        early_stopping_rounds=_PATIENCE, verbose_eval=False,
    )  # fmt: skip
    return int(stopped.best_iteration) + 1


def _matrix_of(xgboost: ModuleType, seen: Lesson) -> object:
    return matrix(xgboost, seen.rows, seen.labels, seen.weights)


def matrix(
    xgboost: ModuleType, rows: Sequence[Row], labels: Sequence[float], weights: Sequence[float] | None = None
) -> object:
    """Rows as the library takes them, with what it shall say of them: in single precision, in one piece."""
    import numpy as np  # noqa: PLC0415 - the library has imported it

    cells = array("f")
    for row in rows:
        cells.extend(cells_of(row))
    table = np.frombuffer(cells, dtype="f4").reshape(len(rows), -1)
    return xgboost.DMatrix(table, label=np.array(labels, dtype="f4"), weight=weights, nthread=1)


def _compare(booster: Booster, rows: Sequence[Row], margins: Sequence[float]) -> None:
    """Raise NoTrees where some row weighs another thing than in the library."""
    some = range(0, len(rows), max(1, len(rows) // 20))
    if any(abs(booster.margin(rows[place]) - margins[place]) > _SAME for place in some):
        raise NoTrees("these trees do not weigh what they weigh in the library: its release writes them otherwise")
