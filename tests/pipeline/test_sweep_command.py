"""The command line of `labs sweep`: what it refuses, and in which words."""

import pytest

from labsupport.pipeline import cluster


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "5-3"], "--seeds 5-3: '5-3' holds no seed; write 3-5?"),
        (["--seeds", "0-999999"], "1,000,000 seeds are more than 100,000 runs"),
        (["-p", "seed", "1"], "the seeds of a sweep are given by --seeds, not by -p seed"),
        (["-p", "lr"], "-p lr has no value"),
        (["-p", "lr", "1", "-p", "lr", "2"], "-p lr is given twice"),
        (["-p", "lr", "1", "2", "1"], "-p lr has a value twice: 1 2 1"),
        (["-p", "lr", "1"], "sums has no parameter 'lr'; its parameters are seed, device"),
        (["--device", "nowhere"], "nowhere"),
        (["--report"], "no run of these chapters as they are now is there: labs sweep CHAPTER"),
        (["--bless"], "no run of these chapters as they are now is there: labs sweep CHAPTER"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_runs_nothing(
    book, capsys, monkeypatch, arguments, message
):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    assert book.main("sweep", "sums", *arguments) == 1
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1]
    assert not list((book.root / "_build").glob("sweep/runs/*"))


def test_report_and_blessing_follow_a_sweep(book):
    assert book.labs("sweep", "sums", "--seeds", "0-10").returncode == 0
    report = book.labs("sweep", "--report", "sums")
    assert "| small | 4 of 11 | 15% to 65% | 4-10 |" in report.stdout
    assert book.labs("sweep", "--bless", "sums").returncode == 0
    assert "sums,finding,small,0-10,11,4,4-10" in (book.root / "book/firmness.csv").read_text()
    book.edit("sums", "total", lambda cell: cell.update(source="total = 1"))
    assert book.labs("sweep", "--report", "sums").returncode == 1
