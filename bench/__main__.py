"""Runs the parts of the bench: `python -m bench [PART …]`."""

import argparse
import os
import platform
from functools import partial

import psutil

from bench import (
    api,
    areas,
    dashboard,
    download,
    faults,
    history,
    imports,
    ingest,
    replay,
    simulate,
    tls,
)

PARTS = (
    "ingest",
    "tls",
    "history",
    "imports",
    "areas",
    "replay",
    "simulate",
    "faults",
    "api",
    "download",
    "dashboard",
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
    parser.add_argument(
        "--messages",
        type=int,
        default=dashboard.MESSAGES,
        help="in part dashboard, of each area set (%(default)s)",
    )
    parser.add_argument(
        "--viewers",
        type=int,
        default=dashboard.VIEWERS,
        help="open maps in part dashboard (%(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=dashboard.SECONDS,
        help="that their cost is measured for (%(default)s)",
    )
    arguments = parser.parse_args()
    chosen = arguments.parts or PARTS
    parts = {
        "ingest": ingest.run,
        "tls": tls.run,
        "history": partial(history.run, arguments.rows or history.ROWS),
        "imports": imports.run,
        "areas": areas.run,
        "replay": replay.run,
        "api": api.run,
        "simulate": simulate.run,
        "faults": faults.run,
        "download": partial(download.run, arguments.rows or download.ROWS),
        "dashboard": partial(
            dashboard.run, arguments.messages, arguments.viewers, arguments.seconds
        ),
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
