"""How many chapters run at a time; see also test_runner.py."""

from labsupport.pipeline.costs import recorded_costs
from labsupport.pipeline.project import Project


def test_costs_are_those_of_the_provenance_and_none_if_it_is_damaged(book):
    project = Project(book.root, book.root / "_build")
    assert set(recorded_costs(project)) == {"sums", "curves"}
    (book.root / "book/provenance.csv").write_text("x")
    assert recorded_costs(project) == {}
