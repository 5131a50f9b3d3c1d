"""Runs the parts of the bench: `python -m bench [PART …]`."""

import argparse
import os
import platform

import psutil

from bench import history, imports, ingest

PARTS = {"ingest": ingest.run, "history": history.run, "imports": imports.run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default"
    )
    chosen = parser.parse_args().parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there is {', '.join(PARTS)}")
    memory = psutil.virtual_memory().total / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}")
    for part in chosen:
        print(f"\n## {part}")
        PARTS[part]()


if __name__ == "__main__":
    main()
