"""Know where the parts of the book lie."""

import difflib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labsupport.pipeline.files import remove

__all__ = ["DEFAULT_BUILD", "DISK_FIX", "LabsError", "Project", "find_project", "read_yaml"]

SOURCES = ("_config.yml", "_toc.yml", "book")
DEFAULT_BUILD = "_build"
DISK_FIX = "Free space or make it writable; with --build FOLDER all but book/ is written elsewhere."


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
        """Return the names of the notebooks in the table of contents, in its order.

        Raises
        ------
        LabsError
            If it is not YAML, names no notebook, or names a page twice, one that does not exist
            or one outside `book/`.
        """
        toc = self.root / "_toc.yml"
        pages = list(_files(read_yaml(toc)))
        for number, page in enumerate(pages):
            if PurePosixPath(str(page)).parent != PurePosixPath("book"):
                raise LabsError(f"{toc} names {page!r}: write book/NAME, only book/ is rendered")
            if not any((self.root / f"{page}{end}").is_file() for end in (".ipynb", ".md")):
                raise LabsError(
                    f"{toc} names {page!r}, but there is no {page}.ipynb or {page}.md: correct "
                    "the name (without its ending), or remove the line"
                )
            if page in pages[:number]:
                raise LabsError(f"{toc} names {page!r} twice: remove one of the lines")
        notebooks = [self.root / f"{page}.ipynb" for page in pages]
        chapters = [path.stem for path in notebooks if path.is_file()]
        if not chapters:
            raise LabsError(f"{toc} names no notebook: list the chapters as book/NAME")
        return chapters

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
        """Return a fresh copy of all that a run or a rendering reads, under the build folder.

        Raises
        ------
        LabsError
            If a file cannot be copied.
        """
        stage = self.build / name
        remove(stage)
        stage.mkdir(parents=True)
        for source in SOURCES:
            path = self.root / source
            if path.is_dir():
                ignore = shutil.ignore_patterns(".*", "__pycache__")
                try:
                    shutil.copytree(path, stage / source, ignore=ignore)
                except shutil.Error as error:  # which lists every file that it did not copy
                    original, _, reason = error.args[0][0]
                    raise LabsError(
                        f"cannot copy {original} into {stage}: {reason}. {DISK_FIX}"
                    ) from error
            else:
                shutil.copy2(path, stage / source)
        return stage


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
            return Project(root, (build or root / DEFAULT_BUILD).resolve())
    raise LabsError(f"{here} is not inside the book: change to the folder that holds _toc.yml")


def read_yaml(path: Path) -> object:
    """Read a file of settings.

    Raises
    ------
    LabsError
        If it is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabsError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def _files(toc: object) -> Iterator[str]:
    """Yield the files that a table of contents names, in reading order."""
    if isinstance(toc, dict):
        yield from (toc[key] for key in ("root", "file") if key in toc)
        for value in toc.values():
            yield from _files(value)
    elif isinstance(toc, list):
        for item in toc:
            yield from _files(item)
