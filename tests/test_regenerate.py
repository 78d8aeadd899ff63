"""The `labs` command on a tiny book: what it writes, what it refuses, what it survives."""

import csv
import os
import re
import signal
import time
from pathlib import Path

import nbformat
import pytest

from labsupport.regenerate import main


def wait_for(condition, *, timeout_s=30):
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.05)


def chapter_with_line(book, line):
    """Put a line into the third cell of a chapter, without touching its outputs."""
    book.edit("sums", "total", lambda cell: cell.update(source=f"{line}\n{cell.source}"))


def processes_in(folder):
    """Return the processes whose working folder lies in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue
    return found


# running


def test_run_executes_without_touching_the_book(book):
    before = book.contents()
    result = book.labs("run", "--no-html", "--jobs", "2")
    assert result.returncode == 0, result.stderr
    assert re.search(r"sums +4 +[\d.]+ +\d+ +ok", result.stdout)
    assert re.search(r"curves +3 +[\d.]+ +\d+ +ok", result.stdout)
    assert book.contents() == before
    executed = nbformat.read(book.root / "_build/executed/sums.ipynb", as_version=4)
    assert "papermill" not in executed.metadata
    assert [cell.execution_count for cell in executed.cells[1:]] == [1, 2, 3, 4]


def test_run_twice_gives_the_same_bytes(book):
    executed = book.root / "_build/executed/curves.ipynb"
    contents = []
    for _ in range(2):
        assert book.labs("run", "curves", "--no-html").returncode == 0
        contents.append(executed.read_bytes())
    assert contents[0] == contents[1]


def test_run_with_a_device_injects_no_visible_cell(book):
    assert book.labs("run", "sums", "--device", "cpu", "--no-html").returncode == 0
    executed = nbformat.read(book.root / "_build/executed/sums.ipynb", as_version=4)
    assert [cell.id for cell in executed.cells] == [cell.id for cell in book.read("sums").cells]


def test_run_with_parameters_shows_them(book):
    assert book.labs("run", "sums", "-p", "seed", "5", "--no-html").returncode == 0
    executed = nbformat.read(book.root / "_build/executed/sums.ipynb", as_version=4)
    assert "total 2.050 of 5 parts" in executed.cells[4].outputs[0].text
    assert "seed = 5" in executed.cells[3].source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "sum"], "no chapter 'sum'. Did you mean 'sums'? The chapters are sums, curves."),
        (["run", "../sums"], "no chapter '../sums'."),
        (["run", "--device", "tpu"], "unknown device 'tpu': use 'auto', 'cpu', 'cuda' or 'cuda:N'"),
        (["run", "sums", "-p", "sed", "1"], "sums has no parameter 'sed'; its parameters are seed"),
        (["run", "--build", "/proc/nowhere"], "cannot use /proc/nowhere: "),
        (["update"], "there is no finished run to bless: labs run"),
        (["update", "sums"], "sums has no finished run: labs run sums"),
    ],
)
def test_bad_input_gets_one_message(book, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(book.root)
    before = book.contents()
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"labs: {message}")
    assert len(printed.err.splitlines()) == 1
    assert book.contents() == before


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_must_be_a_number_from_one_on(book, monkeypatch, capsys, jobs):
    monkeypatch.chdir(book.root)
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--jobs", jobs])
    assert "a whole number from 1 on is needed" in capsys.readouterr().err


def test_cuda_where_there_is_none_is_refused_before_any_run(book, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.chdir(book.root)
    assert main(["run", "--device", "cuda"]) == 1
    assert "PyTorch sees no CUDA GPU" in capsys.readouterr().err
    assert not (book.root / "_build").exists()


@pytest.mark.parametrize(
    ("command", "module"), [("run", "tqdm"), ("check", "nbval"), ("html", "jupyter_book")]
)
def test_missing_package_is_named_with_the_target_that_installs_it(book, command, module):
    program = f"import sys; sys.modules[{module!r}] = None\n"
    program += f"from labsupport.regenerate import main; sys.exit(main([{command!r}]))"
    result = book.python("-c", program)
    assert result.returncode == 1
    assert result.stderr.startswith(f"labs: {module} is not installed in this environment: `make")
    assert len(result.stderr.splitlines()) == 1


def test_outside_a_book_the_message_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["html"]) == 1
    assert "is not inside the book" in capsys.readouterr().err


def test_failing_cell_is_named_and_the_others_still_run(book):
    chapter_with_line(book, "raise ValueError('no such thing')")
    before = book.contents()
    result = book.labs("run")
    assert result.returncode == 1
    assert "labs: sums failed in cell 3 (total): ValueError: no such thing" in result.stderr
    assert re.search(r"curves .* ok", result.stdout)
    failed = book.root / "_build/failed/sums.ipynb"
    assert f"the failed copy: {failed}" in result.stderr
    assert "no such thing" in failed.read_text()
    assert not (book.root / "_build/html").exists()
    assert book.contents() == before


def test_killed_kernel_is_named(book):
    chapter_with_line(book, "import os; os.kill(os.getpid(), 9)")
    result = book.labs("run", "sums")
    assert result.returncode == 1
    assert "labs: sums failed in cell 3 (total): the kernel died" in result.stderr
    assert (book.root / "_build/failed/sums.ipynb").exists()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_interrupted_run_leaves_nothing_behind(book, signal_number, code):
    pristine = book.path("sums").read_bytes()
    chapter_with_line(book, "open('reached', 'w').close(); time.sleep(120)")
    before = book.contents()
    labs = book.start_labs("run", "--no-html")
    wait_for((book.root / "_build/stage/book/reached").exists)
    labs.send_signal(signal_number)
    _, errors = labs.communicate(timeout=20)
    assert labs.returncode == code
    assert "Traceback" not in errors
    if signal_number == signal.SIGINT:
        assert errors.splitlines()[-1].startswith("labs: interrupted; the book is as it was")
    assert book.contents() == before
    wait_for(lambda: not processes_in(book.root), timeout_s=10)
    assert "has no finished run" in book.labs("update", "sums").stderr
    book.path("sums").write_bytes(pristine)
    assert book.labs("run", "--no-html").returncode == 0


def test_second_run_at_once_is_refused_and_the_first_goes_on(book):
    chapter_with_line(book, "open('reached', 'w').close(); time.sleep(3)")
    first = book.start_labs("run", "sums", "--no-html")
    wait_for((book.root / "_build/stage/book/reached").exists)
    second = book.labs("run", "curves", "--no-html")
    assert second.returncode == 1
    assert second.stderr.startswith("labs: another labs command is at work")
    elsewhere = book.labs("run", "curves", "--no-html", "--build", "other")
    assert elsewhere.returncode == 0
    first.communicate(timeout=60)
    assert first.returncode == 0


# blessing


def test_update_copies_outputs_and_nothing_else(book):
    book.replace_source("sums", "total", "0.41", "0.43")
    edited = book.read("sums")
    assert book.labs("run", "sums", "--no-html").returncode == 0
    result = book.labs("update", "sums")
    assert result.returncode == 0, result.stderr
    assert "cell 3 (total)" in result.stdout
    assert "1.230 was promised, 1.290 found, 60 units of its last place apart" in result.stdout
    blessed = book.read("sums")
    assert blessed.cells[3].outputs[0].text == "total 1.290 of 3 parts\n"
    for notebook in (edited, blessed):
        for cell in notebook.cells:
            cell.pop("outputs", None)
    assert blessed == edited
    assert book.pytest("book/sums.ipynb").returncode == 0


def test_update_records_provenance(book):
    with (book.root / "book/provenance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["chapter"] for row in rows] == ["sums", "curves"]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, commit unknown, seed", rows[0]["run"])
    assert int(rows[0]["peak MB"]) > 10


def test_update_refuses_a_failed_run(book):
    chapter_with_line(book, "raise ValueError")
    book.labs("run", "sums", "--no-html")
    before = book.contents()
    result = book.labs("update", "sums")
    assert result.returncode == 1
    assert "sums has no finished run" in result.stderr
    assert book.contents() == before


def test_update_refuses_changed_parameters(book):
    book.labs("run", "sums", "-p", "seed", "5", "--no-html")
    before = book.contents()
    result = book.labs("update")
    assert "its run changed parameters: {'seed': 5}" in result.stderr
    assert book.contents() == before


def test_update_refuses_stand_in_data_which_the_summary_and_the_page_announce(book):
    mark = {"labs": {"stand_in": "no network here"}}
    chapter_with_line(book, f"display('x', metadata={mark})")
    run = book.labs("run")
    assert run.returncode == 0, run.stderr
    assert "on stand-in data" in run.stdout
    assert "sums ran on stand-in data. no network here" in run.stdout
    page = (book.root / "_build/html/book/sums.html").read_text()
    assert page.index("This page was run on stand-in data") < page.index("cell_input")
    before = book.contents()
    update = book.labs("update")
    assert update.returncode == 1
    assert "sums is not updated: its run used stand-in data. no network here" in update.stderr
    assert book.contents() == before


def test_update_refuses_a_chapter_that_was_edited_since(book):
    book.labs("run", "--no-html")
    book.replace_source("sums", "total", "0.41", "0.43")
    before = book.contents()
    result = book.labs("update")
    assert "cell 'total' was edited since the run; run it again: labs run sums" in result.stderr
    assert book.contents() == before


# rendering and checking


def test_html_shows_committed_outputs(book):
    result = book.labs("html")
    assert result.returncode == 0, result.stderr
    assert str(book.root / "_build/html/index.html") in result.stdout
    assert "total 1.230 of 3 parts" in (book.root / "_build/html/book/sums.html").read_text()


def test_html_keeps_the_last_good_book_when_a_page_is_at_fault(book):
    assert book.labs("html").returncode == 0
    (book.root / "book/intro.md").write_text("# Intro\n\n{ref}`nowhere`\n")
    result = book.labs("html")
    assert result.returncode == 1
    assert "the HTML could not be rendered" in result.stderr
    assert "book/intro.md:3: WARNING: undefined label: 'nowhere'" in result.stderr
    assert sorted(path.name for path in (book.root / "_build").iterdir()) == [
        ".lock",
        "html",
        "logs",
    ]
    assert "A tiny book" in (book.root / "_build/html/book/intro.html").read_text()


def test_check_runs_the_named_chapter(book):
    result = book.labs("check", "curves")
    assert result.returncode == 0
    assert "4 passed" in result.stdout


def test_plain_papermill_runs_a_chapter(book):
    result = book.python(
        "-m", "papermill", "book/sums.ipynb", "out.ipynb", "-p", "seed", "4", "--cwd", "book"
    )
    assert result.returncode == 0, result.stderr
    assert "total 1.640 of 4 parts" in (book.root / "out.ipynb").read_text()


def test_commands_import_no_torch(book):
    program = "import sys, labsupport.regenerate, labsupport.runner, labsupport.update\n"
    program += "import labsupport.execute, labsupport.regression\n"
    program += "sys.exit('torch' in sys.modules)"
    assert book.python("-c", program).returncode == 0
