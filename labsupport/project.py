"""Know where the parts of the book lie, and let one command at a time work on them."""

import contextlib
import difflib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["DISK_FIX", "LabsError", "Project", "find_project", "read_yaml", "remove"]

SOURCES = ("_config.yml", "_toc.yml", "book")
DEFAULT_BUILD = "_build"
DISK_FIX = "Free space or make it writable; with --build FOLDER all but book/ is written elsewhere."

# Marks a folder as one that labs may empty; backup programs skip it: https://bford.info/cachedir/
BUILD_TAG = "CACHEDIR.TAG"
BUILD_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# A build folder of labs.\n"


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

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands out of the build folder; the lock dies with the process.

        Raises
        ------
        LabsError
            If another command is at work there, or if the folder is not one for building.
        """
        self._claim_build()
        with _lock(
            self.build / ".lock",
            f"another labs command is at work in {self.build}: wait until it is done, "
            "or give this one a folder of its own with --build FOLDER",
        ):
            yield

    @contextlib.contextmanager
    def book_locked(self) -> Iterator[None]:
        """Let one update at a time write into the book, whatever their build folders.

        Raises
        ------
        LabsError
            If another update is at work.
        """
        folder = self.root / DEFAULT_BUILD
        folder.mkdir(exist_ok=True)
        with _lock(folder / ".book.lock", "another labs update is at work: wait until it is done"):
            yield

    def _claim_build(self) -> None:
        """Make the build folder, or refuse one in which files of the user could be lost."""
        if self.build.is_relative_to(self.book.resolve()) or self.root.is_relative_to(self.build):
            raise LabsError(
                f"cannot build in {self.build}, where the book itself lies: name another folder "
                "with --build"
            )
        if self.build.is_file():
            raise LabsError(f"{self.build} is a file: remove it, or name a folder with --build")
        self.build.mkdir(parents=True, exist_ok=True)
        tag = self.build / BUILD_TAG
        if tag.exists():
            return
        is_default = self.build == (self.root / DEFAULT_BUILD).resolve()
        if not is_default and any(self.build.iterdir()):
            raise LabsError(
                f"cannot build in {self.build}, which holds files that labs did not write: name "
                "an empty or a new folder with --build"
            )
        tag.write_text(BUILD_TAG_TEXT)


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


def remove(path: Path) -> None:
    """Remove a file, a folder or a link, but nothing that a link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold a lock that dies with the process, or refuse at once."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LabsError(refusal) from None
    try:
        yield
    finally:
        lock.release()


def _files(toc: object) -> Iterator[str]:
    """Yield the files that a table of contents names, in reading order."""
    if isinstance(toc, dict):
        yield from (toc[key] for key in ("root", "file") if key in toc)
        for value in toc.values():
            yield from _files(value)
    elif isinstance(toc, list):
        for item in toc:
            yield from _files(item)
