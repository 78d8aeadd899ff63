"""Which runs a sweep has, and by what each is known."""

import pytest

from labsupport.pipeline import grid
from labsupport.pipeline.grid import plan, read_seeds, read_source
from labsupport.pipeline.project import LabsError, Project


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", [0, 1, 2, 3]), ("7", [7]), ("1, 5,10-11", [1, 5, 10, 11]), ("4-4", [4])],
)
def test_seeds_are_read(text, seeds):
    assert read_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no seed; write 0-49, or 1,5,10-12"),
        ("5-3", "'5-3' holds no seed; write 3-5?"),
        ("-3", "'-3' is no seed"),
        ("-3-4", "'-3-4' is no seed"),
        ("1.5", "'1.5' is no seed"),
        ("0-", "'0-' is no seed"),
        ("0-999999", "1,000,000 seeds are more than 100,000 runs"),
        ("1-3,2", "2 is named twice"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(text, message):
    with pytest.raises(LabsError, match=f"^--seeds {text}: {message}"):
        read_seeds(text)


@pytest.fixture
def sources(book):
    project = Project(book.root, book.root / "_build")
    return [read_source(project, chapter) for chapter in ("sums", "curves")]


def test_plan_combines_all_seed_by_seed(sources):
    runs = plan(sources[:1], [3, 4], {}, {})
    assert [run.parameters for run in runs] == [{"seed": 3}, {"seed": 4}]
    runs = plan(sources, [3, 4], {"device": ["cpu", "auto"]}, {})
    told = [(run.chapter, run.parameters["seed"], run.parameters["device"]) for run in runs]
    assert told == [
        (chapter, seed, device)
        for seed in (3, 4)
        for device in ("cpu", "auto")
        for chapter in ("sums", "curves")
    ]
    assert len({run.key for run in runs}) == 8


def test_plan_refuses_a_parameter_that_a_chapter_lacks(sources):
    message = "sums has no parameter 'lr'; its parameters are seed, device"
    with pytest.raises(LabsError, match=message):
        plan(sources, [1], {"lr": [0.1]}, {})


def test_plan_refuses_too_many_runs(sources):
    with pytest.raises(LabsError, match=r"200,000 runs are more than 100,000"):
        plan(sources, range(50_000), {"device": ["cpu", "auto"]}, {})


def keys(book):
    source = read_source(Project(book.root, book.root / "_build"), "sums")
    return {run.key for run in plan([source], [1], {}, {})}


def test_run_is_another_when_code_toolkit_files_or_versions_change(book, monkeypatch):
    before = keys(book)
    book.edit("sums", "total", lambda cell: cell.update(source=cell.source + "  # more"))
    assert keys(book) != before
    before = keys(book)
    (book.root / "book/published.yml").write_text("[]")
    assert keys(book) != before
    before = keys(book)
    monkeypatch.setattr(grid, "version", lambda name: "0")
    assert keys(book) != before
    before = keys(book)
    monkeypatch.setattr(grid, "_toolkit_digest", lambda: "another")
    assert keys(book) != before


def test_run_is_the_same_when_text_outputs_or_other_files_change(book):
    before = keys(book)
    book.edit("sums", "title", lambda cell: cell.update(source="# Another title"))
    book.edit("sums", "total", lambda cell: cell.update(outputs=[]))
    (book.root / "book/claims.yml").write_text("[]")
    assert keys(book) == before


def test_source_carries_no_outputs(sources):
    assert "total 1.230" not in sources[0].notebook


def test_changed_module_that_chapters_import_makes_other_runs(book, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "__file__", str(tmp_path / "pipeline/grid.py"))
    project = Project(book.root, book.root / "_build")
    module = tmp_path / "data.py"
    module.write_text("samples = 1")
    before = read_source(project, "sums").state
    assert read_source(project, "sums").state == before
    module.write_text("samples = 2")
    assert read_source(project, "sums").state != before
