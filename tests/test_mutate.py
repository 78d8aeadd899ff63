"""The mutation tool on a tiny book."""

import re
from pathlib import Path

import mutate
from mutate import Fault, report, report_stale

TOOL = Path(__file__).parents[1] / "tools" / "mutate.py"


def test_mutate_reports_what_was_noticed_and_what_was_not(book):
    before = book.contents()
    result = book.python(str(TOOL), "sums")
    assert result.returncode == 1, result.stderr
    assert re.search(r"sums +(\d+) +\d+ +0 +1 +9\d\.\d%", result.stdout), result.stdout
    # nothing in the tiny book reads the device
    assert "sums, parameters: text\n- device = 'auto'\n+ device = 'auto~'" in result.stdout
    assert book.contents() == before


def test_mutate_plants_faults_in_a_module_and_runs_its_tests(book):
    files = {
        "pyproject.toml": "",
        "labsupport/__init__.py": "",
        "labsupport/grow.py": "double = lambda x: x * 2\nhalf = lambda x: x / 2\n",
        "tests/test_grow.py": "from labsupport.grow import double\n"
        "def test_double():\n    assert double(3) == 6\n",
    }
    for name, text in files.items():
        path = book.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    result = book.python(str(TOOL), "grow", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")  # it saves time
    assert re.search(r"grow +4 +2 +0 +2 +50\.0%", result.stdout), result.stderr
    assert "operator\n- half = lambda x: x / 2\n+ half = lambda x: x * 2" in result.stdout
    assert (book.root / "labsupport/grow.py").read_text() == files["labsupport/grow.py"]


def test_mutate_refuses_a_chapter_that_does_not_hold(book):
    book.replace_source("sums", "total", "0.41", "0.51")
    result = book.python(str(TOOL), "sums")
    assert result.returncode == 1
    assert "sums breaks its promise without any fault: cell total" in result.stderr


def test_mutate_refuses_an_unknown_target(book):
    result = book.python(str(TOOL), "sum")
    assert result.returncode == 2
    assert "'sum' is neither a chapter nor a module of labsupport" in result.stderr


def fault(diff, killed_by=""):
    return Fault("sums", 0, "total", "constant", diff, "", killed_by)


def test_report_counts_a_survivor_unless_it_has_a_reason(capsys):
    faults = [fault("- 1\n+ 2", "a test"), fault("- 2\n+ 3"), fault("- 3\n+ 4")]
    assert report(faults, {("sums", "- 2\n+ 3"): "no digit shows it"}) == 1
    printed = capsys.readouterr().out
    assert re.search(r"sums +3 +1 +1 +1 +50\.0%", printed)
    assert "sums, total: constant\n- 3\n+ 4" in printed
    assert "- 2" not in printed


def test_report_names_reasons_for_what_is_no_fault_any_more(capsys):
    reasons = {("sums", "- 2\n+ 3"): "", ("sums", "- 9\n+ 8"): "", ("curves", "- 9\n+ 8"): ""}
    report_stale([fault("- 2\n+ 3")], reasons)
    assert capsys.readouterr().out.count("no longer has") == 1


def test_accepted_survivors_have_reasons():
    reasons = mutate.accepted()
    assert reasons
    assert all(reason.endswith(".") for reason in reasons.values())
