import pytest

SLEEP = "import os; print(os.environ['OMP_WAIT_POLICY'], end='')"


@pytest.mark.parametrize("chosen", [None, "ACTIVE"])
def test_threads_of_a_kernel_sleep_unless_the_user_says_otherwise(book, monkeypatch, chosen):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if chosen:
        monkeypatch.setenv("OMP_WAIT_POLICY", chosen)
    book.edit("sums", "total", lambda cell: cell.update(source=SLEEP))
    assert book.labs("run", "sums", "--no-html").returncode == 0
    assert book.executed("sums").cells[3].outputs[0].text == (chosen or "PASSIVE")
