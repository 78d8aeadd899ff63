"""The ways in which Fashion-MNIST comes, on tiny archives and a mirror on loopback."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from conftest import serve

from labsupport import fashion_mnist
from labsupport.fashion_mnist import DataUnavailableError, load_fashion_mnist

MIRRORS = "torchvision.datasets.FashionMNIST.mirrors"


def idx(array):
    """Encode an array of bytes in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Write four tiny archives and make the loader expect them and no mirror."""
    folder = tmp_path / "archives"
    folder.mkdir()
    images, targets = np.arange(5 * 28 * 28) % 251, np.arange(5)
    contents = {
        "train-images-idx3-ubyte": images.reshape(5, 28, 28),
        "train-labels-idx1-ubyte": targets,
        "t10k-images-idx3-ubyte": images[: 2 * 28 * 28].reshape(2, 28, 28),
        "t10k-labels-idx1-ubyte": targets[:2],
    }
    digests = {}
    for name, array in contents.items():
        packed = gzip.compress(idx(array), mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        digests[name] = tuple(hashlib.sha256(data).hexdigest() for data in (packed, idx(array)))
    monkeypatch.setattr(fashion_mnist, "DIGESTS", digests)
    monkeypatch.setattr(MIRRORS, ["http://127.0.0.1:9/"])
    monkeypatch.setattr(fashion_mnist, "user_cache_path", lambda app: tmp_path / "cache" / app)
    monkeypatch.delenv("LABS_FASHION_MNIST", raising=False)
    monkeypatch.delenv("LABS_REQUIRE_DATA", raising=False)
    return folder


@pytest.fixture
def named_folder(archives, monkeypatch):
    monkeypatch.setenv("LABS_FASHION_MNIST", str(archives))
    return archives


@pytest.fixture
def raw(archives, tmp_path):
    """Return where the unpacked files end up."""
    return tmp_path / "cache" / "labsupport" / "FashionMNIST" / "raw"


@pytest.fixture
def mirror(archives, monkeypatch):
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

    with serve(Handler, archives) as address:
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
    assert sorted(path.name for path in raw.iterdir()) == sorted(fashion_mnist.DIGESTS)


def test_files_are_unpacked_beside_their_place(named_folder, raw, monkeypatch):
    folders = []
    fill = fashion_mnist._fill
    monkeypatch.setattr(
        fashion_mnist, "_fill", lambda to, folder: (folders.append(to), fill(to, folder))
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

    monkeypatch.setattr(fashion_mnist, "FileLock", read_only)
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
        ("stall", {"STALL_TIMEOUT_S": 0.2, "MIRROR_TIMEOUT_S": 5}, "timed out"),
        ("drip", {"MIRROR_TIMEOUT_S": 0.4}, "not done after 0 seconds"),
        ("drip-headers", {"MIRROR_TIMEOUT_S": 0.4}, "not done after 0 seconds"),
        ("endless", {"LARGEST_FILE": 2**17, "MIRROR_TIMEOUT_S": 3}, "not the original archive"),
    ],
)
def test_mirror_at_fault_is_given_up_in_time_with_its_reason(
    mirror, monkeypatch, fault, limits, reason
):
    monkeypatch.setattr(MIRRORS, [f"{mirror}/{fault}/"])
    monkeypatch.setenv("LABS_REQUIRE_DATA", "1")
    for name, value in limits.items():
        monkeypatch.setattr(fashion_mnist, name, value)
    started_at = time.monotonic()
    with pytest.raises(DataUnavailableError, match=f"/{fault}/: .*{reason}"):
        load_fashion_mnist()
    assert time.monotonic() - started_at < 10


def test_mirrors_together_give_up_before_the_cell_does():
    from torchvision.datasets import FashionMNIST

    assert len(FashionMNIST.mirrors) * fashion_mnist.MIRROR_TIMEOUT_S < 600


def test_archive_is_not_unpacked_before_it_is_verified(named_folder, monkeypatch):
    (named_folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other"))
    monkeypatch.setattr(fashion_mnist, "_verify_folder", lambda folder: None)  # changed after it
    monkeypatch.setattr(fashion_mnist.gzip, "open", lambda file: pytest.fail("was unpacked"))
    with pytest.raises(DataUnavailableError, match="is not the original archive"):
        load_fashion_mnist()


def test_archive_that_unpacks_to_far_too_much_is_stopped(named_folder, monkeypatch, tmp_path):
    bomb = gzip.compress(bytes(2**20))
    (named_folder / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    _, digest = fashion_mnist.DIGESTS["train-images-idx3-ubyte"]
    expected = (hashlib.sha256(bomb).hexdigest(), digest)
    monkeypatch.setitem(fashion_mnist.DIGESTS, "train-images-idx3-ubyte", expected)
    monkeypatch.setattr(fashion_mnist, "LARGEST_FILE", 2**13)
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(DataUnavailableError, match="damaged after unpacking"):
        fashion_mnist._fill(staging, named_folder)
    assert [path.stat().st_size for path in staging.iterdir()] == [2**13]


def test_limit_admits_the_largest_file():
    assert fashion_mnist.LARGEST_FILE > 16 + 60_000 * 28 * 28


def test_name_inside_an_archive_is_not_used(named_folder, monkeypatch, tmp_path):
    name = "t10k-labels-idx1-ubyte"
    archive = named_folder / f"{name}.gz"
    content = gzip.decompress(archive.read_bytes())
    with archive.open("wb") as file, gzip.GzipFile("../../../evil", "wb", fileobj=file) as packed:
        packed.write(content)
    _, digest = fashion_mnist.DIGESTS[name]
    expected = (hashlib.sha256(archive.read_bytes()).hexdigest(), digest)
    monkeypatch.setitem(fashion_mnist.DIGESTS, name, expected)
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
    fill = fashion_mnist._fill
    monkeypatch.setattr(
        fashion_mnist, "_fill", lambda *paths: (unpacked.append(paths), fill(*paths))
    )
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: load_fashion_mnist().stand_in, range(4)))
    assert loaded == [""] * 4
    assert len(unpacked) == 1


def test_named_folder_without_an_archive_is_an_error(named_folder):
    (named_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataUnavailableError, match=r"t10k-labels-idx1-ubyte.gz is not there. Put"):
        load_fashion_mnist()


def test_corrupt_archive_of_the_right_size_is_an_error(named_folder):
    archive = named_folder / "train-labels-idx1-ubyte.gz"
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataUnavailableError, match="not the original archive"):
        load_fashion_mnist()


def test_without_data_digits_stand_in_and_say_so(archives, capsys):
    data = load_fashion_mnist()
    assert "could not be downloaded" in data.stand_in
    assert "LABS_FASHION_MNIST" in data.stand_in
    assert data.X_train.shape == (1437, 28, 28)
    assert data.X_test.shape == (360, 28, 28)
    assert data.X_train.dtype == torch.uint8
    assert data.X_train.max() == 255
    assert data.y_train.unique().tolist() == list(range(10))
    assert data.class_names == tuple(f"digit {digit}" for digit in range(10))
    assert "Markdown" in capsys.readouterr().out  # what display prints outside a notebook


def test_stand_in_is_marked_for_the_commands(archives, monkeypatch):
    shown = []
    monkeypatch.setattr(fashion_mnist, "display", lambda *_, metadata: shown.append(metadata))
    data = load_fashion_mnist()
    assert shown == [{"labs": {"stand_in": data.stand_in}}]


def test_required_data_does_not_stand_in(archives, monkeypatch):
    monkeypatch.setenv("LABS_REQUIRE_DATA", "1")
    with pytest.raises(DataUnavailableError, match="Connect to the network, or set"):
        load_fashion_mnist()


def test_unusable_cache_names_the_way_out(named_folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(fashion_mnist, "user_cache_path", lambda app: tmp_path / "file" / app)
    with pytest.raises(DataUnavailableError, match="set XDG_CACHE_HOME to another folder"):
        load_fashion_mnist()


@pytest.mark.skipif(
    not os.environ.get("LABS_FASHION_MNIST"),
    reason="LABS_FASHION_MNIST names no folder with the original archives",
)
def test_original_archives_hold_seventy_thousand_balanced_images():
    data = load_fashion_mnist()
    assert data.X_train.shape == (60_000, 28, 28)
    assert data.y_train.bincount().tolist() == [6000] * 10
    assert data.y_test.bincount().tolist() == [1000] * 10
