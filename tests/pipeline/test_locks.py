"""One command at a time, in a folder in which nothing of the user's can be lost."""

from pathlib import Path

import pytest
from tiny_book import wait_for

from labsupport.pipeline.locks import BUILD_TAG, book_locked, locked
from labsupport.pipeline.project import Project


@pytest.mark.parametrize("build", ["mine", ".", "..", "book", "book/new", "_config.yml"])
def test_build_folder_in_which_files_could_be_lost_is_refused(unrun_book, capsys, build):
    for folder in ("mine/html", "mine/stage"):
        (unrun_book.root / folder).mkdir(parents=True)
        (unrun_book.root / folder / "precious").touch()
    before = sorted(unrun_book.root.rglob("*"))
    assert unrun_book.main("html", "--build", build) == 1
    assert "name a" in capsys.readouterr().err
    assert sorted(unrun_book.root.rglob("*")) == before


def test_build_folder_is_taken_when_new_or_empty_and_recognised_later(unrun_book):
    (unrun_book.root / "empty").mkdir()
    for name in ("new", "empty", "new"):
        build = unrun_book.root / name
        with locked(Project(unrun_book.root, build)):
            (build / "html").mkdir(exist_ok=True)
        assert (build / BUILD_TAG).read_text().startswith("Signature: 8a477f597d28d172789f06886806")


def test_build_folder_is_taken_while_another_command_makes_it_its_own(unrun_book, monkeypatch):
    build = unrun_book.root / "new"
    listed = Path.iterdir

    def list_later(folder):
        """Let another command take the folder between a look at the mark and one at the files."""
        for name in (BUILD_TAG, ".lock"):
            (build / name).touch()
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", list_later)
    with locked(Project(unrun_book.root, build)):
        pass


def test_foreign_file_in_the_place_of_the_build_folder_is_named(unrun_book, capsys):
    (unrun_book.root / "_build").write_text("mine")
    assert unrun_book.main("html") == 1
    message = f"labs: {unrun_book.root / '_build'} is a file: remove it, or name a folder"
    assert capsys.readouterr().err.startswith(message)


def test_second_command_at_once_is_refused_and_the_first_goes_on(book, capsys):
    line = (
        "import os; open('reached', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.1)"
    )
    book.put_line(line)
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


def test_two_updates_from_two_build_folders_do_not_mix(finished_book, tmp_path, capsys):
    build = tmp_path / "other"
    finished_book.root.joinpath("_build").rename(build)
    project = Project(finished_book.root, build)
    with book_locked(project):
        assert finished_book.main("update", "--build", str(build)) == 1
        assert capsys.readouterr().err.startswith("labs: another labs update is at work")
    assert finished_book.main("update", "--build", str(build)) == 0
