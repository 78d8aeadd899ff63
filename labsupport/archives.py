"""Find, verify and unpack the four archives of Fashion-MNIST.

They come from the folder that `LABS_FASHION_MNIST` names, from the cache of an earlier run, or from
torchvision's mirrors, in this order. Nothing is trusted unread: every file is held against its
SHA-256 each time.
"""

import gzip
import hashlib
import io
import os
import shutil
import tempfile
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from filelock import FileLock
from platformdirs import user_cache_path

__all__ = ["FOLDER_VARIABLE", "DataUnavailableError", "unpacked_root"]

FOLDER_VARIABLE = "LABS_FASHION_MNIST"

# SHA-256 of each archive and of the file inside it
DIGESTS = {
    "train-images-idx3-ubyte": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels-idx1-ubyte": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "t10k-images-idx3-ubyte": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "t10k-labels-idx1-ubyte": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}

LARGEST_FILE = 2**26  # bytes; the largest of the eight files has 47,040,016
MIRROR_TIMEOUT_S = 240.0  # all mirrors together must give up before a cell's 600 s are over
STALL_TIMEOUT_S = 20.0


class DataUnavailableError(RuntimeError):
    """Fashion-MNIST cannot be had; the message says what was tried and what to do."""


def unpacked_root() -> Path:
    """Return a folder that `torchvision.datasets.FashionMNIST` reads, every file in it verified.

    Raises
    ------
    DataUnavailableError
        If the archives can be had from nowhere, or the cache cannot be used.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        _verify_folder(Path(folder))
    root = user_cache_path("labsupport")
    raw = root / "FashionMNIST" / "raw"
    if _is_unpacked(raw):  # then nothing has to be written
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / "fashion-mnist.lock"):
            if not _is_unpacked(raw):
                for leftover in root.glob("unpacking-*"):  # of a process that was killed
                    shutil.rmtree(leftover, ignore_errors=True)
                with tempfile.TemporaryDirectory(dir=root, prefix="unpacking-") as staging:
                    unpacked = Path(staging) / "raw"
                    unpacked.mkdir()
                    _fill(unpacked, Path(folder) if folder else None)
                    for place in (raw.parent, raw):  # a link is not followed
                        if place.is_file() or place.is_symlink():
                            place.unlink()
                    raw.parent.mkdir(exist_ok=True)
                    shutil.rmtree(raw, ignore_errors=True)
                    os.replace(unpacked, raw)
    except OSError as error:
        raise DataUnavailableError(
            f"cannot use the cache {root}: {error.strerror or error}. Free space there, make it "
            "writable, or set XDG_CACHE_HOME to another folder."
        ) from error
    return root


def _verify_folder(folder: Path) -> None:
    """Refuse a folder that lacks an archive or holds one that is not the original."""
    for name, (archive_digest, _) in DIGESTS.items():
        archive = folder / f"{name}.gz"
        if not archive.is_file():
            raise DataUnavailableError(
                f"{FOLDER_VARIABLE} names {folder}, but {archive.name} is not there. Put the four "
                "original .gz archives into that folder, or unset the variable."
            )
        if _sha256(archive) != archive_digest:
            raise _not_original(archive)


def _not_original(archive: Path) -> DataUnavailableError:
    """Return the error that says that an archive in the user's folder is damaged."""
    return DataUnavailableError(
        f"{archive} is not the original archive (its SHA-256 differs): it may be "
        f"incomplete. Copy it again, or unset the variable {FOLDER_VARIABLE}."
    )


def _is_unpacked(raw: Path) -> bool:
    """Tell whether all four unpacked files are there and byte for byte right."""
    return all(
        (raw / name).is_file() and _sha256(raw / name) == digest
        for name, (_, digest) in DIGESTS.items()
    )


def _fill(staging: Path, folder: Path | None) -> None:
    """Unpack the four files into `staging`, from `folder` or from a mirror.

    An archive is unpacked only from the very bytes that were held against its SHA-256.
    """
    downloaded = _download() if folder is None else {}
    for name, (archive_digest, digest) in DIGESTS.items():
        packed = downloaded[name] if folder is None else _read(folder / f"{name}.gz")
        if hashlib.sha256(packed).hexdigest() != archive_digest:
            raise _not_original(folder / f"{name}.gz")
        with gzip.open(io.BytesIO(packed)) as archive:
            (staging / name).write_bytes(archive.read(LARGEST_FILE))
        if _sha256(staging / name) != digest:
            raise DataUnavailableError(f"{name} is damaged after unpacking: run again")


def _read(path: Path) -> bytes:
    """Return the content of a file, or the beginning of one that is too large to be right."""
    with path.open("rb") as file:
        return file.read(LARGEST_FILE)


def _download() -> dict[str, bytes]:
    """Fetch the four archives from one of torchvision's mirrors."""
    from torchvision.datasets import FashionMNIST

    failures = []
    for mirror in FashionMNIST.mirrors:
        answer = SimpleQueue()
        # A mirror can stretch its answer in ways that no timeout of a socket ends.
        Thread(target=_download_from, args=(mirror, answer), daemon=True).start()
        try:
            found = answer.get(timeout=MIRROR_TIMEOUT_S)
        except Empty:
            found = f"not done after {MIRROR_TIMEOUT_S:.0f} seconds"
        if isinstance(found, dict):
            return found
        failures.append(f"{mirror}: {found}")
    raise DataUnavailableError(
        f"Fashion-MNIST could not be downloaded ({'; '.join(failures)}). Connect to the network, "
        f"or set {FOLDER_VARIABLE} to a folder with the four original .gz archives."
    )


def _download_from(mirror: str, answer: SimpleQueue) -> None:
    """Put the four verified archives into `answer`, or the reason why not."""
    give_up_at = time.monotonic() + MIRROR_TIMEOUT_S
    archives = {}
    try:
        for name, (digest, _) in DIGESTS.items():
            request = urllib.request.Request(f"{mirror}{name}.gz", headers={"User-Agent": "labs"})
            content = bytearray()
            with urllib.request.urlopen(request, timeout=STALL_TIMEOUT_S) as response:
                while len(content) < LARGEST_FILE and (piece := response.read1(2**16)):
                    content += piece
                    if time.monotonic() > give_up_at:
                        return
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError(f"its {name}.gz is not the original archive")
            archives[name] = bytes(content)
    except (OSError, ValueError, HTTPException) as error:
        answer.put(str(error) or type(error).__name__)
    else:
        answer.put(archives)


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
