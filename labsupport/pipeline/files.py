"""Write files so that a reader sees the old one or the new one, never a part; remove them."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["remove", "remove_leftovers", "write_atomically", "write_together"]


def write_atomically(text: str, path: Path) -> None:
    """Write `text` to a temporary file beside `path`, then rename it."""
    write_together({path: text})


def write_together(texts: Mapping[Path, str]) -> None:
    """Write each text to a temporary file beside its path; rename them once all are on disk."""
    temporaries: dict[Path, str] = {}
    try:
        for path, text in texts.items():
            handle, temporaries[path] = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
                os.fchmod(file.fileno(), mode)
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        for folder in {path.parent for path in texts}:
            _sync_folder(folder)
    except BaseException as error:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the temporary name
        raise


def _sync_folder(folder: Path) -> None:
    """Make renames survive a power cut, on file systems that can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote into `folder`."""
    for leftover in folder.glob(".new-*"):
        leftover.unlink()


def remove(path: Path) -> None:
    """Remove a file, a folder or a link, but nothing that a link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
