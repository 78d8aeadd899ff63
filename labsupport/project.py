"""Know where the parts of the book lie, and let one command at a time work on them."""

import contextlib
import difflib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LabsError", "Project", "find_project"]

SOURCES = ("_config.yml", "_toc.yml", "book")


class LabsError(Exception):
    """Something the user can put right; the message says what and how."""


@dataclass(frozen=True)
class Project:
    """The folders of a book.

    Attributes
    ----------
    root : Path
        Holds `_config.yml`, `_toc.yml` and `book/`.
    build : Path
        Everything that the commands write, except what `labs update` blesses.
    """

    root: Path
    build: Path

    @property
    def book(self) -> Path:
        """The chapters with their committed outputs."""
        return self.root / "book"

    @property
    def executed(self) -> Path:
        """The executed copy of each chapter that ran to its end, and the record of its run."""
        return self.build / "executed"

    @property
    def failed(self) -> Path:
        """The copy of each chapter that failed, as far as it came."""
        return self.build / "failed"

    @property
    def html(self) -> Path:
        """The rendered book."""
        return self.build / "html"

    @property
    def logs(self) -> Path:
        """What the tools said."""
        return self.build / "logs"

    def chapters(self) -> list[str]:
        """Return the names of the notebooks in the table of contents, in its order."""
        import yaml

        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        notebooks = (self.root / f"{file}.ipynb" for file in _files(toc))
        return [path.stem for path in notebooks if path.is_file()]

    def select(self, names: Sequence[str]) -> list[str]:
        """Return the chapters meant by `names`, or all of them if there are no names.

        Raises
        ------
        LabsError
            If a name is not a chapter.
        """
        chapters = self.chapters()
        for name in names:
            if name not in chapters:
                near = difflib.get_close_matches(name, chapters, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise LabsError(
                    f"no chapter {name!r}.{hint} The chapters are {', '.join(chapters)}."
                )
        return [chapter for chapter in chapters if not names or chapter in names]

    def notebook(self, chapter: str) -> Path:
        """Return the committed notebook of a chapter."""
        return self.book / f"{chapter}.ipynb"

    def stage(self, name: str) -> Path:
        """Return a fresh copy of all that a run or a rendering reads, under the build folder."""
        stage = self.build / name
        if stage.exists():
            shutil.rmtree(stage)
        stage.mkdir(parents=True)
        for source in SOURCES:
            path = self.root / source
            if path.is_dir():
                ignore = shutil.ignore_patterns(".*", "__pycache__")
                shutil.copytree(path, stage / source, ignore=ignore)
            else:
                shutil.copy2(path, stage / source)
        return stage

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands out of the build folder; the lock dies with the process.

        Raises
        ------
        LabsError
            If another command is at work there.
        """
        from filelock import FileLock, Timeout

        self.build.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.build / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LabsError(
                f"another labs command is at work in {self.build}: wait until it is done, "
                "or give this one a folder of its own with --build FOLDER"
            ) from None
        try:
            yield
        finally:
            lock.release()


def find_project(build: Path | None = None) -> Project:
    """Return the book that holds the current folder.

    Raises
    ------
    LabsError
        If neither this folder nor one above it holds a book.
    """
    here = Path.cwd()
    for root in (here, *here.parents):
        if all((root / source).exists() for source in SOURCES):
            return Project(root, (build or root / "_build").resolve())
    raise LabsError(f"{here} is not inside the book: change to the folder that holds _toc.yml")


def _files(toc: object) -> Iterator[str]:
    """Yield the files that a table of contents names, in reading order."""
    if isinstance(toc, dict):
        yield from (toc[key] for key in ("root", "file") if key in toc)
        for value in toc.values():
            yield from _files(value)
    elif isinstance(toc, list):
        for item in toc:
            yield from _files(item)
