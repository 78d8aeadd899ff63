"""The command line of `labs`: what it refuses, and in which words."""

import io
import signal
import subprocess
import sys

import pytest
from tiny_book import processes_in, wait_for

from labsupport.pipeline import cli, options, render
from labsupport.pipeline.cli import main


@pytest.mark.parametrize(
    "text",
    ["2020-01-01", "!!binary eA==", "{a: [", "!!set {a}", "!!python/object/apply:os.getpid []"],
)
def test_parameter_that_is_no_json_stays_text(text):
    assert options.read_value(text) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "sum"], "no chapter 'sum'. Did you mean 'sums'? The chapters are sums, curves."),
        (["run", "../sums"], "no chapter '../sums'."),
        (["run", "--device", "tpu"], "unknown device 'tpu': use 'auto', 'cpu', 'cuda' or 'cuda:N'"),
        (["run", "-p", "device", "tpu"], "unknown device 'tpu': use 'auto', 'cpu', 'cuda' or"),
        (["run", "-p", "device", ""], "unknown device None: use 'auto', 'cpu', 'cuda' or 'cuda:N'"),
        (["run", "--device", "cpu", "-p", "device", "cpu"], "the device is given twice: leave out"),
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


@pytest.mark.parametrize("option", [["--device"], ["-p", "device"]])
def test_cuda_where_there_is_none_is_refused_before_any_run(book, monkeypatch, capsys, option):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.chdir(book.root)
    assert main(["run", *option, "cuda"]) == 1
    assert "PyTorch sees no CUDA GPU" in capsys.readouterr().err
    assert not (book.root / "_build").exists()


@pytest.mark.parametrize(
    ("command", "module"), [("run", "tqdm"), ("check", "nbval"), ("html", "jupyter_book")]
)
def test_missing_package_is_named_with_the_target_that_installs_it(book, command, module):
    program = f"import sys; sys.modules[{module!r}] = None\n"
    program += f"from labsupport.pipeline.cli import main; sys.exit(main([{command!r}]))"
    result = book.python("-c", program)
    assert result.returncode == 1
    assert result.stderr.startswith(f"labs: {module} is not installed in this environment: `make")
    assert len(result.stderr.splitlines()) == 1


def test_outside_a_book_the_message_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["html"]) == 1
    assert "is not inside the book" in capsys.readouterr().err


def test_check_runs_the_named_chapter(book):
    result = book.labs("check", "sums")
    assert result.returncode == 0
    assert "6 passed" in result.stdout


def test_check_passes_where_pytest_cannot_keep_its_cache(book):
    settings = book.root / "pyproject.toml"
    strict = settings.read_text().replace(
        ', "-p", "no:cacheprovider"]', ']\nfilterwarnings = ["error"]'
    )
    settings.write_text(strict)
    (book.root / ".pytest_cache").touch()  # a file in the place of the folder
    result = book.labs("check", "sums")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_interrupted_check_tells_what_it_found_and_leaves_nothing_behind(
    book, tmp_path, signal_number, code
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    book.put_line("open('reached', 'w'); time.sleep(600)")
    labs = book.start_labs("check", "sums", TMPDIR=str(temporary))
    wait_for((book.root / "book/reached").exists)
    labs.send_signal(signal_number)
    output, errors = labs.communicate(timeout=60)
    assert labs.returncode == code
    if signal_number != signal.SIGKILL:
        assert "3 passed" in output
        assert errors.strip().startswith("labs: interrupted")
        assert len(errors.strip().splitlines()) == 1
    wait_for(lambda: not processes_in(book.root))
    assert list(temporary.iterdir()) == []


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
from labsupport.pipeline import cli

def html(project, options):
    "Speak."
    print("last words")
    return 0

cli.html = html
sys.exit(cli.main(["html"]))
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
    cli._prepare_streams()
    print("≥", flush=True)
    assert shown.getvalue() == b"\\u2265\n"
