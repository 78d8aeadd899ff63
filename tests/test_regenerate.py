"""The `labs` command on a tiny book: what it writes, what it refuses, what it survives."""

import asyncio
import contextlib
import csv
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from labsupport import regenerate, render, runner
from labsupport.notebooks import read_notebook, write_notebook
from labsupport.project import Project
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


def executed(book, chapter):
    return read_notebook(book.root / f"_build/executed/{chapter}.ipynb")


# running


def test_run_executes_without_touching_the_book(blessed_book):
    assert re.search(r"sums +4 +[\d.]+ +\d+ +ok", blessed_book.ran.stdout)
    assert re.search(r"curves +3 +[\d.]+ +\d+ +ok", blessed_book.ran.stdout)
    assert blessed_book.contents_after_run == blessed_book.contents_before_run
    notebook = executed(blessed_book, "sums")
    assert "papermill" not in notebook.metadata
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4]


def test_run_with_a_device_injects_no_visible_cell(blessed_book):
    cells = executed(blessed_book, "sums").cells
    assert [cell.id for cell in cells] == [cell.id for cell in blessed_book.read("sums").cells]


def test_run_in_a_hostile_place_gives_the_same_bytes(blessed_book, tmp_path):
    book = blessed_book.copy(tmp_path / 'it\'s {a} "book" 模型', without=["_build"])
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("HOME", None)
    command = 'exec "$0" -m labsupport.regenerate run curves --no-html <&- >&- 2>&-'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=book.root,
        env=environment,
        check=False,
    )
    assert result.returncode == 0
    mine, other = (b.root / "_build/executed/curves.ipynb" for b in (book, blessed_book))
    assert mine.read_bytes() == other.read_bytes()


@pytest.fixture(scope="module")
def odd_run(blessed_book, tmp_path_factory):
    """Run a chapter with another parameter, on data that it says are not those wanted."""
    book = blessed_book.copy(tmp_path_factory.mktemp("odd") / "book", without=["_build"])
    mark = {"labs": {"stand_in": "no network here"}}
    chapter_with_line(book, f"display('x', metadata={mark})")
    book.ran = book.labs("run", "sums", "-p", "seed", "5")
    assert book.ran.returncode == 0, book.ran.stderr
    return book


def test_run_with_parameters_shows_them(odd_run):
    notebook = executed(odd_run, "sums")
    assert "total 2.050 of 5 parts" in notebook.cells[4].outputs[1].text
    assert "seed = 5" in notebook.cells[3].source


def test_stand_in_data_are_announced_in_the_summary_and_on_the_page(odd_run):
    assert "on stand-in data" in odd_run.ran.stdout
    assert "sums ran on stand-in data. no network here" in odd_run.ran.stdout
    page = (odd_run.root / "_build/html/book/sums.html").read_text()
    assert page.index("This page was run on stand-in data") < page.index("cell_input")


def test_update_refuses_stand_in_data(odd_run, capsys):
    before = odd_run.contents()
    assert odd_run.main("update") == 1
    message = "sums is not updated: its run used stand-in data. no network here"
    assert message in capsys.readouterr().err
    assert odd_run.contents() == before


def test_update_refuses_changed_parameters(odd_run, tmp_path, capsys):
    book = odd_run.copy(tmp_path / "book")
    record = book.root / "_build/executed/sums.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"stand_in": ""}))
    before = book.contents()
    assert book.main("update") == 1
    assert "its run changed parameters: {'seed': 5}" in capsys.readouterr().err
    assert book.contents() == before


@pytest.mark.parametrize(
    "text",
    ["2020-01-01", "!!binary eA==", "{a: [", "!!set {a}", "!!python/object/apply:os.getpid []"],
)
def test_parameter_that_is_no_json_stays_text(text):
    assert regenerate._value(text) == text


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


def plan(book, monkeypatch, *, free_mb=100_000, cores=64):
    """Return in which order chapters would be started, and how many at a time."""
    planned = []

    async def run_all(project, stage, runs, num_jobs):
        planned.append(([run.chapter for run in runs], num_jobs))

    monkeypatch.setattr(runner, "_run_all", run_all)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    memory = SimpleNamespace(available=free_mb * 1e6)
    monkeypatch.setattr(runner.psutil, "virtual_memory", lambda: memory)
    runner.run_chapters(Project(book.root, book.root / "_build"), ["sums", "curves"], parameters={})
    return planned[0]


def record(book, sums, curves):
    rows = [f"{name},today,CPU,{cost}" for name, cost in (("sums", sums), ("curves", curves))]
    text = "\n".join(["chapter,run,machine,seconds,peak MB", *rows, ""])
    (book.root / "book/provenance.csv").write_text(text)


@pytest.mark.parametrize(
    ("sums", "curves", "first"),
    [("3,900", "20,900", "curves"), ("30,900", "20,900", "sums"), ("x,900", "20,9", "sums")],
)
def test_longest_chapter_starts_first(book, monkeypatch, sums, curves, first):
    record(book, sums, curves)
    assert plan(book, monkeypatch)[0][0] == first


@pytest.mark.parametrize(
    ("free_mb", "cores", "jobs"),
    [(100_000, 4, 4), (6_100, 64, 3), (1_000, 64, 1)],
)
def test_jobs_follow_cores_and_memory(book, monkeypatch, free_mb, cores, jobs):
    record(book, "3,900", "20,2000")
    assert plan(book, monkeypatch, free_mb=free_mb, cores=cores)[1] == jobs


def test_jobs_of_a_book_without_record_leave_room(unrun_book, monkeypatch):
    assert plan(unrun_book, monkeypatch, free_mb=6_100)[1] == 3


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


@pytest.fixture(scope="module")
def failed_run(blessed_book, tmp_path_factory):
    """Run a chapter that fails beside one that does not."""
    book = blessed_book.copy(tmp_path_factory.mktemp("failed") / "book", without=["_build"])
    chapter_with_line(book, "raise ValueError('no such thing' + ' at all' * 999)")
    book.contents_before_run = book.contents()
    book.ran = book.labs("run")
    return book


def test_failing_cell_is_named_and_the_others_still_run(failed_run):
    assert failed_run.ran.returncode == 1
    errors = failed_run.ran.stderr
    assert "labs: sums failed in cell 3 (total): ValueError: no such thing" in errors
    assert re.search(r"curves .* ok", failed_run.ran.stdout)
    failed = failed_run.root / "_build/failed/sums.ipynb"
    assert f"the failed copy: {failed}" in errors
    assert "no such thing" in failed.read_text()
    assert not (failed_run.root / "_build/html").exists()
    assert failed_run.contents() == failed_run.contents_before_run


def test_long_error_is_cut(failed_run):
    assert max(map(len, failed_run.ran.stderr.splitlines())) < 600


def test_update_refuses_a_failed_run(failed_run, capsys):
    assert failed_run.main("update", "sums") == 1
    assert "sums has no finished run" in capsys.readouterr().err
    assert failed_run.contents() == failed_run.contents_before_run


@pytest.fixture(scope="module")
def dead_run(blessed_book, tmp_path_factory):
    """Run a chapter whose kernel is killed, and one whose kernel does not exist."""
    book = blessed_book.copy(tmp_path_factory.mktemp("dead") / "book", without=["_build"])
    chapter_with_line(book, "import os; os.kill(os.getpid(), 9)")
    curves = book.read("curves")
    curves.metadata.kernelspec.name = "nowhere"
    book.write("curves", curves)
    book.ran = book.labs("run")
    return book


def test_killed_kernel_is_named(dead_run):
    assert dead_run.ran.returncode == 1
    assert "labs: sums failed in cell 3 (total): the kernel died" in dead_run.ran.stderr
    assert (dead_run.root / "_build/failed/sums.ipynb").exists()
    assert "Traceback" not in dead_run.ran.stderr


def test_unknown_kernel_is_named(dead_run):
    message = "curves failed before its first cell: NoSuchKernel: No such kernel named nowhere"
    assert message in dead_run.ran.stderr


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_interrupted_run_leaves_nothing_behind(book, capsys, signal_number, code):
    pristine = book.path("sums").read_bytes()
    chapter_with_line(book, "open('reached', 'w').close(); time.sleep(120)")
    before = book.contents()
    labs = book.start_labs("run", "sums", "--no-html")
    wait_for((book.root / "_build/stage/book/reached").exists)
    labs.send_signal(signal_number)
    _, errors = labs.communicate(timeout=20)
    assert labs.returncode == code
    assert "Traceback" not in errors
    if signal_number == signal.SIGINT:
        assert errors.splitlines()[-1].startswith("labs: interrupted; no file in book/ is half-")
    assert book.contents() == before
    wait_for(lambda: not processes_in(book.root), timeout_s=10)
    assert book.main("update", "sums") == 1
    assert "has no finished run" in capsys.readouterr().err
    book.path("sums").write_bytes(pristine)
    assert book.labs("run", "sums", "--no-html").returncode == 0


def test_interrupted_run_waits_for_every_worker(unrun_book, monkeypatch):
    ended = []

    async def work(project, stage, run, bar):
        try:
            await asyncio.sleep(60)
        finally:  # as a worker that needs longer than another to end
            for _ in range(run.num_cells):
                await asyncio.sleep(0)
            ended.append(run.chapter)

    async def interrupt():
        runs = [runner.Run("sums", {}, num_cells=1), runner.Run("curves", {}, num_cells=50)]
        running = asyncio.create_task(runner._run_all(None, None, runs, num_jobs=2))
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return list(ended)

    monkeypatch.setattr(runner, "_run_one", work)
    assert asyncio.run(interrupt()) == ["sums", "curves"]


def test_worker_killed_while_it_speaks_has_no_outcome():
    async def lines():
        yield b'{"num_done": 1}\n'
        yield b'{"outcome": {"err'

    bar = SimpleNamespace(update=lambda num_cells: None)
    assert asyncio.run(runner._follow(SimpleNamespace(stdout=lines()), bar)) is None


def test_second_command_at_once_is_refused_and_the_first_goes_on(book, capsys):
    line = (
        "import os; open('reached', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.1)"
    )
    chapter_with_line(book, line)
    first = book.start_labs("run", "sums", "--no-html")
    wait_for((book.root / "_build/stage/book/reached").exists)
    for command in (["run", "curves", "--no-html"], ["update"], ["html"]):
        assert book.main(*command) == 1
        assert capsys.readouterr().err.startswith("labs: another labs command is at work")
    elsewhere = book.labs("run", "curves", "--no-html", "--build", "other")
    assert elsewhere.returncode == 0
    (book.root / "_build/stage/book/go").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_damaged_record_of_a_run_is_named(finished_book, capsys):
    record = finished_book.root / "_build/executed/sums.json"
    for text in ("", "[]", '{"colour": 1}'):
        record.write_text(text)
        assert finished_book.main("update") == 1
        assert (
            capsys.readouterr().err == f"labs: {record} is damaged; run it again: labs run sums\n"
        )


# ending


def test_ctrl_c_gets_one_message(unrun_book, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(render, "render_html", interrupted)
    assert unrun_book.main("html") == 130
    message = "labs: interrupted; no file in book/ is half-written. Run again when ready."
    assert capsys.readouterr().err.strip() == message


def test_reader_that_ends_early_gets_one_message_and_no_update(finished_book, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # the last words may be in the buffer
    finished_book.edit("sums", "total", lambda cell: cell.update(outputs=[]))
    before = finished_book.contents()
    with finished_book.start_labs("update") as labs:
        labs.stdout.close()
        errors = labs.stderr.read()
    assert errors.startswith("labs: what read its output ended too early")
    assert labs.returncode == 1
    assert finished_book.contents() == before


def test_reader_that_ends_before_the_last_words_gets_one_message(unrun_book, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    program = """
import sys
from labsupport import regenerate

def html(project, options):
    "Speak."
    print("last words")
    return 0

regenerate.html = html
sys.exit(regenerate.main(["html"]))
"""
    command = [sys.executable, "-c", program]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=unrun_book.root, **pipes) as labs:
        labs.stdout.close()
        errors = labs.stderr.read()
    assert errors.startswith("labs: what read its output ended too early")
    assert len(errors.splitlines()) == 1
    assert labs.returncode == 1


def test_terminal_that_lacks_a_character_is_shown_an_escape(monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    regenerate._prepare_streams()
    print("≥", flush=True)
    assert shown.getvalue() == b"\\u2265\n"


# blessing


@pytest.fixture(scope="module")
def updated_book(blessed_book, tmp_path_factory):
    """Change a number of a chapter, run it, bless it."""
    book = blessed_book.copy(tmp_path_factory.mktemp("updated") / "book", without=["_build"])
    book.replace_source("sums", "total", "0.41", "0.43")
    book.edited = book.read("sums")
    assert book.labs("run", "sums", "--no-html").returncode == 0
    book.updated = book.labs("update", "sums")
    return book


def test_update_copies_outputs_and_nothing_else(updated_book):
    assert updated_book.updated.returncode == 0, updated_book.updated.stderr
    shown = updated_book.updated.stdout
    assert "cell 3 (total)" in shown
    assert "1.230 was promised, 1.290 found, 60 units of its last place apart" in shown
    edited, blessed = updated_book.edited, updated_book.read("sums")
    assert blessed.cells[3].outputs[0].text == "total 1.290 of 3 parts\n"
    for notebook in (edited, blessed):
        for cell in notebook.cells:
            cell.pop("outputs", None)
    assert blessed == edited


def test_check_runs_the_named_chapter(updated_book):
    result = updated_book.labs("check", "sums")
    assert result.returncode == 0
    assert "5 passed" in result.stdout


def test_update_records_provenance(book):
    with (book.root / "book/provenance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["chapter"] for row in rows] == ["sums", "curves"]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, commit unknown, seed", rows[0]["run"])
    assert int(rows[0]["peak MB"]) > 10


def test_update_refuses_a_chapter_that_was_edited_since(finished_book, capsys):
    finished_book.replace_source("sums", "total", "0.41", "0.43")
    before = finished_book.contents()
    assert finished_book.main("update") == 1
    errors = capsys.readouterr().err
    assert "cell 'total' was edited since the run; run it again: labs run sums" in errors
    assert finished_book.contents() == before


def test_long_output_is_cut_when_what_changes_is_shown(finished_book, capsys):
    notebook = executed(finished_book, "sums")
    notebook.cells[3].outputs[0].text = "x" * 10**6
    write_notebook(notebook, finished_book.root / "_build/executed/sums.ipynb")
    assert finished_book.main("update", "sums") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1100


@pytest.fixture
def stale_book(finished_book):
    """Return a book that an update will change in three files."""
    for chapter, cell_id in (("sums", "total"), ("curves", "figure")):
        finished_book.edit(chapter, cell_id, lambda cell: cell.update(outputs=[]))
    provenance = finished_book.root / "book/provenance.csv"
    provenance.write_text(provenance.read_text().splitlines()[0] + "\n")
    return finished_book


POWER_CUT = """
import os, sys
from labsupport.regenerate import main
replace, left = os.replace, int(sys.argv[1])
def cut(*paths):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
    replace(*paths)
os.replace = cut
main(["update"])
"""


@pytest.mark.parametrize("renames", [1, 2, 3])
def test_power_cut_leaves_each_file_old_or_new_and_the_next_update_repairs(
    stale_book, blessed_book, renames
):
    old, new = stale_book.contents(), blessed_book.contents()
    assert stale_book.python("-c", POWER_CUT, str(renames)).returncode == -signal.SIGKILL
    now = stale_book.contents()
    assert sum(now[path] == new[path] != old[path] for path in old) == renames - 1
    assert all(now[path] in (old[path], new[path]) for path in old)
    assert stale_book.main("update") == 0
    assert stale_book.contents() == new


@pytest.mark.parametrize(
    ("file_number", "name"), [(1, "sums.ipynb"), (2, "curves.ipynb"), (3, "provenance.csv")]
)
def test_full_disk_changes_no_file_of_an_update(
    stale_book, blessed_book, monkeypatch, capsys, file_number, name
):
    calls = []

    def no_space(handle):
        calls.append(handle)
        if len(calls) == file_number:
            raise OSError(errno.ENOSPC, "No space left on device")

    before = stale_book.contents()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        assert stale_book.main("update") == 1
    path = stale_book.root / "book" / name
    message = f"labs: cannot use {path}: No space left on device. Free space or make it writable"
    assert capsys.readouterr().err.startswith(message)
    assert stale_book.contents() == before
    assert stale_book.main("update") == 0
    assert stale_book.contents() == blessed_book.contents()


def test_two_updates_from_two_build_folders_do_not_mix(finished_book, tmp_path, capsys):
    build = tmp_path / "other"
    finished_book.root.joinpath("_build").rename(build)
    project = Project(finished_book.root, build)
    with project.book_locked():
        assert finished_book.main("update", "--build", str(build)) == 1
        assert capsys.readouterr().err.startswith("labs: another labs update is at work")
    assert finished_book.main("update", "--build", str(build)) == 0


@pytest.mark.parametrize("damage", ["<<<<<<< HEAD\n", "sums,run\n", '"'])
def test_damaged_provenance_is_named_before_anything_is_written(stale_book, capsys, damage):
    provenance = stale_book.root / "book/provenance.csv"
    provenance.write_text(provenance.read_text() + damage)
    before = stale_book.contents()
    assert stale_book.main("update") == 1
    assert capsys.readouterr().err.startswith(f"labs: {provenance} is damaged (")
    assert stale_book.contents() == before


# rendering and checking


def test_html_shows_committed_outputs(rendered_book):
    assert rendered_book.rendered.returncode == 0, rendered_book.rendered.stderr
    assert str(rendered_book.root / "_build/html/index.html") in rendered_book.rendered.stdout
    page = (rendered_book.root / "_build/html/book/sums.html").read_text()
    assert "total 1.230 of 3 parts" in page


def test_html_keeps_the_last_good_book_when_a_page_is_at_fault(rendered_book, tmp_path):
    book = rendered_book.copy(tmp_path / "book")
    (book.root / "book/intro.md").write_text("# Intro\n\n{ref}`nowhere`\n")
    result = book.labs("html")
    assert result.returncode == 1
    assert "the HTML could not be rendered" in result.stderr
    assert "book/intro.md:3: WARNING: undefined label: 'nowhere'" in result.stderr
    assert sorted(path.name for path in (book.root / "_build").iterdir()) == [
        ".lock",
        "CACHEDIR.TAG",
        "html",
        "logs",
    ]
    assert "A tiny book" in (book.root / "_build/html/book/intro.html").read_text()


@pytest.fixture
def failing_renderer(monkeypatch):
    """Put in the place of Jupyter Book a program that only says `words` and fails."""

    def say(words):
        monkeypatch.setattr(
            render.subprocess,
            "run",
            lambda command, *, stdout, **options: (
                (stdout.write(words) and None) or subprocess.CompletedProcess(command, 1)
            ),
        )

    return say


def test_html_of_a_rendering_that_was_killed_while_it_was_put_in_place_comes_back(
    unrun_book, failing_renderer
):
    failing_renderer("WARNING: a fault")
    html = unrun_book.root / "_build/html"
    previous = html.with_name("html.previous")
    previous.mkdir(parents=True)
    (previous / "index.html").write_text("the last good book")
    assert unrun_book.main("html") == 1
    assert (html / "index.html").read_text() == "the last good book"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full. Free space or make"),
        ("", "exit code 1"),
        ("  raise AnError('x')\nAnError: x", "AnError: x"),
    ],
)
def test_failed_rendering_says_why(unrun_book, failing_renderer, capsys, words, message):
    failing_renderer(words)
    assert unrun_book.main("html") == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert "raise" not in errors


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
