"""How large is what the Dockerfile puts on top of its base image?

What it installs is installed into an empty folder: the wheel of this project and everything in requirements.lock, as
files and compressed. The base image itself is Docker's, and not measured here.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Goal, print_goals, print_table, run, save

ROOT = Path(__file__).parents[1]
LARGEST = 8
MB = 1e6
# More than this no daemon needs that shares 512 MB with its agents.
GOAL_MB = 150.0


def installed(place: Path) -> Path:
    """Install what the image gets."""
    target = place / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
    return target


def sizes(target: Path) -> Iterator[tuple[str, float]]:
    """The size in bytes of each package, largest first."""
    found = {one.name: sum(file.stat().st_size for file in _files(one)) for one in target.iterdir()}
    yield from sorted(found.items(), key=lambda one: -one[1])


def _files(place: Path) -> Iterator[Path]:
    yield from (file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())


def packed(target: Path, place: Path) -> float:
    """Bytes as they go over a wire."""
    archive = place / "image.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        tar.add(target, arcname=".", filter=lambda info: None if "__pycache__" in info.name else info)
    return float(archive.stat().st_size)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        target = installed(place)
        by_package = dict(sizes(target))
        figures = {"files_mb": sum(by_package.values()) / MB, "compressed_mb": packed(target, place) / MB}
    accelerators = [name for name in by_package if name.startswith(("nvidia", "torch", "triton"))]
    rows = [(name, size / MB) for name, size in list(by_package.items())[:LARGEST]]
    print_table("What the image gets on top of its base", ("", "MB"), [*rows, ("all", figures["files_mb"])])
    print(f"\nCompressed: {figures['compressed_mb']:.1f} MB. Packages for accelerators: {len(accelerators)}.")
    goals = [
        Goal("files on top of the base", figures["files_mb"], GOAL_MB, "MB"),
        Goal("packages for accelerators", float(len(accelerators)), 0.0, ""),
    ]
    print_goals(goals)
    save("image", {}, {"image": figures}, goals)


if __name__ == "__main__":
    run(main)
