"""What kernels get: their share of the cores, and a home for matplotlib where the user has none."""

import os

import pytest

from labsupport.pipeline.notebooks import code_cells

SHARED = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
SHARE = f"import os; print(*map(os.environ.get, {SHARED}), end='')"


@pytest.mark.parametrize(("jobs", "chosen"), [("1", None), ("2", None), ("2", "3")])
def test_kernels_at_once_share_the_cores_asleep_unless_the_user_says_otherwise(
    book, monkeypatch, jobs, chosen
):
    for name in SHARED:
        monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
        monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    book.edit("sums", "total", lambda cell: cell.update(source=SHARE))
    assert book.labs("run", "--no-html", "--jobs", jobs).returncode == 0
    half = str(max(1, len(os.sched_getaffinity(0)) // 2))
    expected = f"{chosen} ACTIVE" if chosen else {"1": "None None", "2": f"{half} PASSIVE"}[jobs]
    assert book.executed("sums").cells[3].outputs[0].text == expected


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def homeless_book(book, tmp_path, monkeypatch):
    """Return a book whose owner's home cannot be written."""
    for name in ("MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.touch()
    monkeypatch.setenv("HOME", str(home))
    return book


def test_run_in_a_home_that_cannot_be_written_prints_nothing_more(
    homeless_book, blessed_book, temporary
):
    assert homeless_book.labs("run", "curves", "--no-html").returncode == 0
    found, wanted = (code_cells(b.executed("curves")) for b in (homeless_book, blessed_book))
    assert [cell.outputs for cell in found] == [cell.outputs for cell in wanted]
    assert list((homeless_book.root / "_build/home/MPLCONFIGDIR").iterdir())
    assert list(temporary.iterdir()) == []


def test_check_in_a_home_that_cannot_be_written_passes(homeless_book, temporary):
    result = homeless_book.labs("check", "curves")
    assert result.returncode == 0, result.stdout
    assert list(temporary.iterdir()) == []
