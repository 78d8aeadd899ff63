"""The ways in which Fashion-MNIST comes, on tiny archives and a mirror on loopback."""

import functools
import gzip
import hashlib
import http.server
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from labsupport import fashion_mnist
from labsupport.fashion_mnist import DataUnavailableError, load_fashion_mnist


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
    digests, resources = {}, []
    for name, array in contents.items():
        packed = gzip.compress(idx(array), mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        digests[name] = tuple(hashlib.sha256(data).hexdigest() for data in (packed, idx(array)))
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(fashion_mnist, "DIGESTS", digests)
    monkeypatch.setattr(fashion_mnist.FashionMNIST, "resources", resources)
    monkeypatch.setattr(fashion_mnist.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(fashion_mnist, "user_cache_path", lambda app: tmp_path / "cache" / app)
    monkeypatch.delenv(fashion_mnist.FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(fashion_mnist.REQUIRED_VARIABLE, raising=False)
    return folder


@pytest.fixture
def named_folder(archives, monkeypatch):
    monkeypatch.setenv(fashion_mnist.FOLDER_VARIABLE, str(archives))
    return archives


@pytest.fixture
def raw(archives, tmp_path):
    """Return where the unpacked files end up."""
    return tmp_path / "cache" / "labsupport" / "FashionMNIST" / "raw"


@pytest.fixture
def mirror(archives, monkeypatch):
    """Serve the archives on loopback, after a mirror that answers with a page of HTML."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith("/good/"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>Log in to the network</html>")
                return
            self.path = self.path.removeprefix("/good")
            super().do_GET()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(archives))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(
        fashion_mnist.FashionMNIST, "mirrors", [f"{address}/login/", f"{address}/good/"]
    )
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_named_folder_is_unpacked(named_folder, raw):
    data = load_fashion_mnist()
    assert data.stand_in == ""
    assert data.X_train.shape == (5, 28, 28)
    assert data.X_train.dtype == torch.uint8
    assert data.X_train.flatten().tolist() == [value % 251 for value in range(5 * 28 * 28)]
    assert data.y_test.tolist() == [0, 1]
    assert data.class_names[9] == "Ankle boot"
    assert sorted(path.name for path in raw.iterdir()) == sorted(fashion_mnist.DIGESTS)


def test_cache_serves_without_folder_or_network(named_folder, monkeypatch):
    load_fashion_mnist()
    monkeypatch.delenv(fashion_mnist.FOLDER_VARIABLE)
    assert load_fashion_mnist().stand_in == ""


def test_mirror_that_answers_with_a_page_is_passed_over(mirror, raw, capfd):
    assert load_fashion_mnist().stand_in == ""
    assert not list(raw.glob("*.gz"))
    assert capfd.readouterr() == ("", "")


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
    assert "Markdown" in capsys.readouterr().out  # what display prints outside a notebook


def test_required_data_does_not_stand_in(archives, monkeypatch):
    monkeypatch.setenv(fashion_mnist.REQUIRED_VARIABLE, "1")
    with pytest.raises(DataUnavailableError, match="Connect to the network, or set"):
        load_fashion_mnist()


def test_unusable_cache_names_the_way_out(named_folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(fashion_mnist, "user_cache_path", lambda app: tmp_path / "file" / app)
    with pytest.raises(DataUnavailableError, match="set XDG_CACHE_HOME to another folder"):
        load_fashion_mnist()


@pytest.mark.skipif(
    not os.environ.get(fashion_mnist.FOLDER_VARIABLE),
    reason="LABS_FASHION_MNIST names no folder with the original archives",
)
def test_original_archives_hold_seventy_thousand_balanced_images():
    data = load_fashion_mnist()
    assert data.X_train.shape == (60_000, 28, 28)
    assert data.y_train.bincount().tolist() == [6000] * 10
    assert data.y_test.bincount().tolist() == [1000] * 10
