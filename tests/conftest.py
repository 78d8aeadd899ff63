import contextlib
import functools
import gzip
import hashlib
import http.server
import os
import pickle
import shutil
import threading
from pathlib import Path

import nbformat
import numpy as np
import pytest
from copied_program import PROGRAM
from filelock import FileLock
from tiny_book import SUMS, Book, make_notebook, write_sources

from labsupport import archives
from labsupport.findings import Finding
from labsupport.pipeline.forked import fork_server
from labsupport.pipeline.notebooks import code_cells

ROOT = Path(__file__).parents[1]
MIRRORS = "torchvision.datasets.FashionMNIST.mirrors"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Take one worker more than there are cores: many tests wait for what they have started."""
    return (os.cpu_count() or 1) + 1


LONGEST = ["test_browser.py", "test_cluster.py", "test_regression.py"]


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, then the chapters: the last ones are then short."""
    order = {name: place for place, name in enumerate(LONGEST)}
    chapters, others = len(order), len(order) + 1
    items.sort(
        key=lambda item: (
            chapters if item.path.suffix == ".ipynb" else order.get(item.path.name, others)
        )
    )


@contextlib.contextmanager
def serve(handler, folder):
    """Serve a folder on loopback and give the address."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def unrun_book(tmp_path):
    """Write a tiny book of which no chapter was run."""
    root = tmp_path / "unrun"
    root.mkdir()
    write_sources(root)
    return Book(root)


@pytest.fixture(scope="session")
def share(tmp_path_factory, worker_id):
    """Return a function by which one worker makes a book that all may read."""
    base = tmp_path_factory.getbasetemp()
    common = base if worker_id == "master" else base.parent

    def share(name, make):
        kept = common / f"{name}.pickle"
        with FileLock(common / f"{name}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(tmp_path_factory.mktemp(name))))
            return pickle.loads(kept.read_bytes())

    return share


@pytest.fixture(scope="session")
def blessed_book(share):
    """Run and bless a tiny book once; do not change it."""
    return share("blessed", _bless)


def _bless(root):
    book = Book(root)
    write_sources(book.root)
    book.contents_before_run = book.contents()
    book.ran = book.labs("run", "--no-html", "--jobs", "2", "--device", "cpu")
    book.contents_after_run = book.contents()
    assert book.ran.returncode == 0, book.ran.stderr
    updated = book.labs("update")
    assert updated.returncode == 0, updated.stderr
    return book


@pytest.fixture
def book(blessed_book, tmp_path):
    """Return a copy of the blessed tiny book, without its build folder, to be changed at will."""
    return blessed_book.copy(tmp_path / "book-project", without=["_build"])


@pytest.fixture
def finished_book(blessed_book, tmp_path):
    """Return a copy of the blessed tiny book with the executed copies of its run."""
    return blessed_book.copy(tmp_path / "finished")


@pytest.fixture(scope="session")
def rendered_book(blessed_book, share):
    """Render the blessed book once, as the real book is; do not change it."""

    def render(folder):
        book = blessed_book.copy(folder / "book", without=["_build"])
        shutil.copy(ROOT / "_config.yml", book.root)
        shutil.copy(ROOT / "book/references.bib", book.root / "book")
        for name in ("assets", "templates"):
            shutil.copytree(ROOT / "book" / name, book.root / "book" / name)
        (book.root / "book/intro.md").write_text("# A tiny book\n\nEuler: $e^{i \\pi} = -1$.\n")
        data, metadata = Finding("large", "The seed is large.", False)._repr_mimebundle_()
        lost = nbformat.v4.new_output("display_data", data, metadata=metadata)
        book.edit("sums", "smallness", lambda cell: cell.outputs.append(lost))
        book.rendered = book.labs("html")
        return book

    return share("rendered", render)


@pytest.fixture
def notebook():
    """Return a chapter that breaks no rule."""
    notebook = make_notebook(SUMS)
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    return notebook


@pytest.fixture
def blank():
    """Return the pixels of a white image."""
    return np.full((40, 60, 3), 255, dtype=np.uint8)


def idx(array):
    """Encode an array of bytes in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def packed(tmp_path, monkeypatch):
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
    monkeypatch.setattr(archives, "DIGESTS", digests)
    monkeypatch.setattr(MIRRORS, ["http://127.0.0.1:9/"])
    monkeypatch.setattr(archives, "user_cache_path", lambda app: tmp_path / "cache" / app)
    monkeypatch.delenv("LABS_FASHION_MNIST", raising=False)
    monkeypatch.delenv("LABS_REQUIRE_DATA", raising=False)
    return folder


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Let a server and this process find the program."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return dict(os.environ)


@pytest.fixture
def server(environment):
    with fork_server(["numpy.random", "colorsys", "no_such_module"], environment) as address:
        yield address
