"""Let one command at a time work on a build folder, and on the book."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from labsupport.pipeline.project import DEFAULT_BUILD, LabsError, Project

__all__ = ["BUILD_TAG", "book_locked", "locked"]

# Marks a folder as one that labs may empty; backup programs skip it: https://bford.info/cachedir/
BUILD_TAG = "CACHEDIR.TAG"
BUILD_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# A build folder of labs.\n"


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Keep other commands out of the build folder; the lock dies with the process.

    Raises
    ------
    LabsError
        If another command is at work there, or if the folder is not one for building.
    """
    _claim(project)
    with _lock(
        project.build / ".lock",
        f"another labs command is at work in {project.build}: wait until it is done, "
        "or give this one a folder of its own with --build FOLDER",
    ):
        yield


@contextlib.contextmanager
def book_locked(project: Project) -> Iterator[None]:
    """Let one update at a time write into the book, whatever their build folders.

    Raises
    ------
    LabsError
        If another update is at work.
    """
    folder = project.root / DEFAULT_BUILD
    folder.mkdir(exist_ok=True)
    with _lock(folder / ".book.lock", "another labs update is at work: wait until it is done"):
        yield


def _claim(project: Project) -> None:
    """Make the build folder, or refuse one in which files of the user could be lost."""
    build, root = project.build, project.root
    if build.is_relative_to(project.book.resolve()) or root.is_relative_to(build):
        raise LabsError(
            f"cannot build in {build}, where the book itself lies: name another folder with --build"
        )
    if build.is_file():
        raise LabsError(f"{build} is a file: remove it, or name a folder with --build")
    build.mkdir(parents=True, exist_ok=True)
    tag = build / BUILD_TAG
    is_default = build == (root / DEFAULT_BUILD).resolve()
    holds_files = any(build.iterdir())  # first: another command writes the tag before all else
    if tag.exists():
        return
    if holds_files and not is_default:
        raise LabsError(
            f"cannot build in {build}, which holds files that labs did not write: name "
            "an empty or a new folder with --build"
        )
    tag.write_text(BUILD_TAG_TEXT)


@contextlib.contextmanager
def _lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold a lock that dies with the process, or refuse at once."""
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LabsError(refusal) from None
    try:
        yield
    finally:
        lock.release()
