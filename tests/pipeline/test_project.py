"""The folders of a book, and what the table of contents may name."""

import pytest

from labsupport.pipeline.project import Project

HEAD = "format: jb-book\nroot: book/intro\nchapters:\n"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"format: [", "is not YAML: while parsing"),
        (b"\xff\xfe", "is not YAML: 'utf-8' codec can't decode"),
        (b"", "names no notebook"),
        (b"[]", "names no notebook"),
        (b"root: book/intro", "names no notebook"),
        (f"{HEAD}- file: book/nowhere".encode(), "names 'book/nowhere', but there is no"),
        (f"{HEAD}- file: book/sums.ipynb".encode(), "names 'book/sums.ipynb', but there is no"),
        (f"{HEAD}- file: sums".encode(), "names 'sums': write book/NAME"),
        (f"{HEAD}- file: ../sums".encode(), "names '../sums': write book/NAME"),
        (f"{HEAD}- file: book/../sums".encode(), "names 'book/../sums': write book/NAME"),
        (f"{HEAD}- file: /etc/passwd".encode(), "names '/etc/passwd': write book/NAME"),
        (f"{HEAD}- file: 3".encode(), "names 3: write book/NAME"),
        (f"{HEAD}- file: book/sums\n- file: book/sums".encode(), "names 'book/sums' twice"),
    ],
)
def test_fault_of_the_table_of_contents_is_named(unrun_book, capsys, contents, message):
    (unrun_book.root / "_toc.yml").write_bytes(contents)
    assert unrun_book.main("update") == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"labs: {unrun_book.root / '_toc.yml'} {message}")
    assert len(errors.splitlines()) == 1


def test_settings_that_are_not_yaml_are_named(unrun_book, capsys):
    (unrun_book.root / "_config.yml").write_text("title: [")
    assert unrun_book.main("html") == 1
    message = f"labs: {unrun_book.root / '_config.yml'} is not YAML: while parsing"
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("leftover", ["file", "folder", "link"])
def test_stage_takes_the_place_of_what_a_killed_run_left(unrun_book, tmp_path, leftover):
    project = Project(unrun_book.root, tmp_path / "build")
    stage, outside = project.build / "stage", tmp_path / "outside"
    project.build.mkdir()
    outside.mkdir()
    (outside / "precious").touch()
    if leftover == "file":
        stage.write_text("half")
    elif leftover == "folder":
        (stage / "book").mkdir(parents=True)
        (stage / "book/old.ipynb").write_text("half")
    else:
        stage.symlink_to(outside)
    assert project.stage("stage") == stage
    assert sorted(path.name for path in (stage / "book").iterdir()) == [
        "curves.ipynb",
        "intro.md",
        "sums.ipynb",
    ]
    assert [path.name for path in outside.iterdir()] == ["precious"]


def test_file_that_cannot_be_copied_is_named_with_the_reason(unrun_book, capsys):
    (unrun_book.root / "book/broken.md").symlink_to("nowhere")
    assert unrun_book.main("html") == 1
    errors = capsys.readouterr().err
    assert f"cannot copy {unrun_book.root / 'book/broken.md'} into" in errors
    assert "No such file or directory" in errors
