"""One run as a pure function: a task goes in, a small result comes out, nothing stays behind.

So it can run in a thread here or on another machine, and again if that one dies.
"""

import os
import platform
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from labsupport.pipeline.workers import Workers

__all__ = ["make_task", "run_task"]


def make_task(
    chapter: str,
    notebook: str,
    files: Mapping[str, str],
    parameters: Mapping[str, object],
    *,
    limit_s: float | None = None,
    keep: str = "failed",
) -> dict[str, object]:
    """Return all that a run needs, in a form that can be sent.

    Parameters
    ----------
    notebook
        The text of the chapter's file.
    files
        Texts that it reads in the folder of the book, by name.
    limit_s
        Seconds after which it is killed.
    keep : {"failed", "all"}
        Whether the executed copy comes back from a run that fails, or from all.
    """
    return {
        "chapter": chapter,
        "notebook": notebook,
        "files": dict(files),
        "parameters": dict(parameters),
        "limit_s": limit_s,
        "keep": keep,
    }


def run_task(task: Mapping, workers: Workers) -> dict[str, object]:
    """Execute a chapter in a folder of its own.

    Returns
    -------
    dict
        The outcome of the worker, with `seconds`, `worker` (the name of the machine), `notebook`
        (the text of the executed copy if it is to be kept, else empty) and `log`.
    """
    with tempfile.TemporaryDirectory(prefix="labs-", ignore_cleanup_errors=True) as folder:
        book = Path(folder) / "book"
        book.mkdir()
        for name, text in task["files"].items():
            (book / name).write_text(text, encoding="utf-8")
        source, target = Path(folder) / "source.ipynb", Path(folder) / "executed.ipynb"
        source.write_text(task["notebook"], encoding="utf-8")
        log = Path(folder) / "log"
        started_at = time.perf_counter()
        outcome = workers.run(
            source,
            target,
            book,
            task["parameters"],
            log=log,
            limit_s=task["limit_s"],
        )
        seconds = time.perf_counter() - started_at
        kept = (outcome["error"] or task["keep"] == "all") and target.exists()
        outcome["error"] = outcome["error"].replace(f"; see {log}", "")  # it comes back itself
        return outcome | {
            "seconds": round(seconds, 2),
            "worker": f"{platform.node()}/{os.getpid()}",
            "notebook": target.read_text(encoding="utf-8") if kept else "",
            "log": log.read_text(encoding="utf-8", errors="replace")[-4000:],
        }
