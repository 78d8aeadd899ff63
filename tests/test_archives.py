"""The ways in which the archives come: a folder, a cache, a mirror on loopback."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from conftest import MIRRORS, serve

from labsupport import archives
from labsupport.archives import DataUnavailableError
from labsupport.fashion_mnist import load_fashion_mnist


@pytest.fixture
def named_folder(packed, monkeypatch):
    monkeypatch.setenv("LABS_FASHION_MNIST", str(packed))
    return packed


@pytest.fixture
def raw(packed, tmp_path):
    """Return where the unpacked files end up."""
    return tmp_path / "cache" / "labsupport" / "FashionMNIST" / "raw"


@pytest.fixture
def mirror(packed, monkeypatch):
    """Serve the archives under /good/ on loopback, and every fault of a mirror under its name."""
    over = threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            _, fault, name = self.path.split("/")
            if fault == "good":
                self.path = f"/{name}"
                super().do_GET()
            elif fault.isdecimal():
                self.send_error(int(fault))
            elif fault == "loop":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()
            elif fault == "stall":
                over.wait()
            elif fault == "drip-headers":
                self.drip()
            else:
                self.send_response(200)
                if fault == "half":
                    self.send_header("Content-Length", "1000000")
                self.end_headers()
                self.wfile.write(b"<html>Log in to the network</html>")
                if fault == "drip":
                    self.drip()
                elif fault == "endless":
                    self.drip(pause_s=0.005, piece=b"x" * 2**16)

        def drip(self, pause_s=0.02, piece=b"x"):
            with contextlib.suppress(OSError):
                while not over.wait(pause_s):
                    self.wfile.write(piece)

        def log_message(self, *arguments):
            pass

    with serve(Handler, packed) as address:
        monkeypatch.setattr(MIRRORS, [f"{address}/page/", f"{address}/good/"])
        yield address
        over.set()


def test_named_folder_is_unpacked(named_folder, raw):
    data = load_fashion_mnist()
    assert data.stand_in == ""
    assert data.X_train.shape == (5, 28, 28)
    assert data.X_train.dtype == torch.uint8
    assert data.X_train.flatten().tolist() == [value % 251 for value in range(5 * 28 * 28)]
    assert data.y_test.tolist() == [0, 1]
    assert data.class_names[9] == "Ankle boot"
    assert sorted(path.name for path in raw.iterdir()) == sorted(archives.DIGESTS)


def test_files_are_unpacked_beside_their_place(named_folder, raw, monkeypatch):
    folders = []
    fill = archives._fill
    monkeypatch.setattr(
        archives, "_fill", lambda to, folder: (folders.append(to), fill(to, folder))
    )
    load_fashion_mnist()
    assert folders[0].is_relative_to(raw.parents[1])  # a rename needs the same file system


def test_cache_serves_without_folder_or_network(named_folder, monkeypatch):
    load_fashion_mnist()
    monkeypatch.delenv("LABS_FASHION_MNIST")
    assert load_fashion_mnist().stand_in == ""


def test_full_cache_need_not_be_writable(named_folder, monkeypatch):
    load_fashion_mnist()

    def read_only(path):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(archives, "FileLock", read_only)
    assert load_fashion_mnist().stand_in == ""


def test_mirror_that_answers_with_a_page_is_passed_over(mirror, raw, capfd):
    assert load_fashion_mnist().stand_in == ""
    assert not list(raw.glob("*.gz"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fault", "limits", "reason"),
    [
        ("page", {}, "its train-images-idx3-ubyte.gz is not the original archive"),
        ("404", {}, "HTTP Error 404"),
        ("500", {}, "HTTP Error 500"),
        ("loop", {}, "infinite loop"),
        ("half", {}, "not the original archive"),
        ("stall", {"STALL_TIMEOUT_S": 0.2}, "timed out"),
        ("drip", {"MIRROR_TIMEOUT_S": 0.4}, "not done after 0 seconds"),
        ("drip-headers", {"MIRROR_TIMEOUT_S": 0.4}, "not done after 0 seconds"),
        ("endless", {"LARGEST_FILE": 2**17}, "not the original archive"),
    ],
)
def test_mirror_at_fault_is_given_up_in_time_with_its_reason(
    mirror, monkeypatch, fault, limits, reason
):
    monkeypatch.setattr(MIRRORS, [f"{mirror}/{fault}/"])
    monkeypatch.setenv("LABS_REQUIRE_DATA", "1")
    least_s = min(archives.STALL_TIMEOUT_S, archives.MIRROR_TIMEOUT_S)
    for name, value in limits.items():
        monkeypatch.setattr(archives, name, value)
    started_at = time.monotonic()
    with pytest.raises(DataUnavailableError, match=f"/{fault}/: .*{reason}"):
        load_fashion_mnist()
    assert time.monotonic() - started_at < least_s  # which waits for a limit that was not lowered


def test_mirrors_together_give_up_before_the_cell_does():
    from torchvision.datasets import FashionMNIST

    assert len(FashionMNIST.mirrors) * archives.MIRROR_TIMEOUT_S < 600


def test_archive_is_not_unpacked_before_it_is_verified(named_folder, monkeypatch):
    (named_folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other"))
    monkeypatch.setattr(archives, "_verify_folder", lambda folder: None)  # changed after it
    monkeypatch.setattr(archives.gzip, "open", lambda file: pytest.fail("was unpacked"))
    with pytest.raises(DataUnavailableError, match="is not the original archive") as raised:
        load_fashion_mnist()
    assert raised.type is DataUnavailableError  # whose name readers see


def test_archive_that_unpacks_to_far_too_much_is_stopped(named_folder, monkeypatch, tmp_path):
    bomb = gzip.compress(bytes(2**20))
    (named_folder / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    _, digest = archives.DIGESTS["train-images-idx3-ubyte"]
    expected = (hashlib.sha256(bomb).hexdigest(), digest)
    monkeypatch.setitem(archives.DIGESTS, "train-images-idx3-ubyte", expected)
    monkeypatch.setattr(archives, "LARGEST_FILE", 2**13)
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(DataUnavailableError, match="damaged after unpacking"):
        archives._fill(staging, named_folder)
    assert [path.stat().st_size for path in staging.iterdir()] == [2**13]


def test_limit_admits_the_largest_file():
    assert archives.LARGEST_FILE > 16 + 60_000 * 28 * 28


def test_name_inside_an_archive_is_not_used(named_folder, monkeypatch, tmp_path):
    name = "t10k-labels-idx1-ubyte"
    archive = named_folder / f"{name}.gz"
    content = gzip.decompress(archive.read_bytes())
    with archive.open("wb") as file, gzip.GzipFile("../../../evil", "wb", fileobj=file) as packed:
        packed.write(content)
    _, digest = archives.DIGESTS[name]
    expected = (hashlib.sha256(archive.read_bytes()).hexdigest(), digest)
    monkeypatch.setitem(archives.DIGESTS, name, expected)
    assert load_fashion_mnist().stand_in == ""
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("planted", ["FashionMNIST", "FashionMNIST/raw", "unpacking-planted"])
def test_link_planted_in_the_cache_is_not_followed(named_folder, raw, tmp_path, planted):
    outside = tmp_path / "outside"
    (outside / "raw").mkdir(parents=True)
    (outside / "raw/precious").touch()
    link = raw.parents[1] / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    assert load_fashion_mnist().stand_in == ""
    assert [path.name for path in sorted(outside.rglob("*"))] == ["raw", "precious"]


@pytest.mark.parametrize("damage", ["truncated", "changed", "gone"])
def test_damaged_cache_is_fetched_again(named_folder, raw, damage):
    expected = load_fashion_mnist()
    file = raw / "train-images-idx3-ubyte"
    if damage == "gone":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[:-9] if damage == "truncated" else content[:-1] + b"\xff")
    assert torch.equal(load_fashion_mnist().X_train, expected.X_train)


def test_half_unpacked_folder_of_a_killed_process_is_not_used(named_folder, raw):
    leftover = raw.parents[1] / "unpacking-killed"
    leftover.mkdir(parents=True)
    (leftover / "train-images-idx3-ubyte").write_bytes(b"half")
    assert load_fashion_mnist().X_train.shape == (5, 28, 28)
    assert not leftover.exists()


def test_two_at_once_unpack_once(named_folder, monkeypatch):
    unpacked = []
    fill = archives._fill
    monkeypatch.setattr(archives, "_fill", lambda *paths: (unpacked.append(paths), fill(*paths)))
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: load_fashion_mnist().stand_in, range(4)))
    assert loaded == [""] * 4
    assert len(unpacked) == 1


def test_named_folder_without_an_archive_is_an_error(named_folder):
    (named_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataUnavailableError, match=r"t10k-labels-idx1-ubyte.gz is not there. Put"):
        load_fashion_mnist()


@pytest.mark.parametrize("is_cached", [False, True])
def test_corrupt_archive_of_the_right_size_is_an_error(named_folder, is_cached):
    if is_cached:
        load_fashion_mnist()
    archive = named_folder / "train-labels-idx1-ubyte.gz"
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataUnavailableError, match="not the original archive") as raised:
        load_fashion_mnist()
    assert raised.type is DataUnavailableError


def test_unusable_cache_names_the_way_out(named_folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(archives, "user_cache_path", lambda app: tmp_path / "file" / app)
    with pytest.raises(DataUnavailableError, match="set XDG_CACHE_HOME to another folder"):
        load_fashion_mnist()
