"""Runs the parts of the bench: `python -m bench [PART …]`."""

import argparse
import os
import platform
from functools import partial

import psutil

from bench import api, areas, download, faults, history, imports, ingest, replay, simulate

PARTS = (
    "ingest",
    "history",
    "imports",
    "areas",
    "replay",
    "simulate",
    "faults",
    "api",
    "download",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default"
    )
    parser.add_argument(
        "--rows",
        type=int,
        help=f"in part history, about ({history.ROWS:,}), and in part download ({download.ROWS:,})",
    )
    arguments = parser.parse_args()
    chosen = arguments.parts or PARTS
    parts = {
        "ingest": ingest.run,
        "history": partial(history.run, arguments.rows or history.ROWS),
        "imports": imports.run,
        "areas": areas.run,
        "replay": replay.run,
        "api": api.run,
        "simulate": simulate.run,
        "faults": faults.run,
        "download": partial(download.run, arguments.rows or download.ROWS),
    }
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there is {', '.join(PARTS)}")
    memory = psutil.virtual_memory().total / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}")
    for part in chosen:
        print(f"\n## {part}")
        parts[part]()


if __name__ == "__main__":
    main()
