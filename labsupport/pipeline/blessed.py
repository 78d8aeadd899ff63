"""Write into the book how firm its findings and numbers are."""

from collections.abc import Sequence
from datetime import UTC, datetime

from labsupport.pipeline.files import remove_leftovers, write_atomically
from labsupport.pipeline.firmness import FIRMNESS, Firm, firmness_of, firmness_text, read_firmness
from labsupport.pipeline.locks import book_locked
from labsupport.pipeline.notebooks import code_digest, findings, read_notebook
from labsupport.pipeline.project import LabsError, Project

__all__ = ["bless_firmness"]

FEWEST_SEEDS = 10


def bless_firmness(project: Project, records: Sequence[dict]) -> None:
    """Take the runs with the parameters of the book; print what they say and write it.

    Raises
    ------
    LabsError
        If a run failed or used stand-in data, if a chapter has too few of them, or if they lack a
        finding of the committed chapter.
    """
    rows = {}
    for chapter in dict.fromkeys(record["chapter"] for record in records):
        rows[chapter] = _firmness_of(
            project, chapter, [r for r in records if r["chapter"] == chapter]
        )
        held = [row for row in rows[chapter] if row.kind == "finding"]
        always = sum(row.held == row.runs for row in held)
        print(f"{chapter}: seeds {held[0].seeds}, {always} of {len(held)} findings always held")
    path = project.book / FIRMNESS
    with book_locked(project):
        remove_leftovers(project.book)
        kept: dict[str, list[Firm]] = {}
        for row in read_firmness(path):
            kept.setdefault(row.chapter, []).append(row)
        kept |= rows
        ordered = [row for chapter in project.chapters() for row in kept.get(chapter, [])]
        write_atomically(firmness_text(ordered), path)


def _firmness_of(project: Project, chapter: str, records: Sequence[dict]) -> list[Firm]:
    """Return the rows of a chapter, or refuse."""
    refusal = f"{chapter} is not blessed: "
    records = [r for r in records if set(r["parameters"]) <= {"seed", "device"}]
    for record in records:
        seed = record["parameters"]["seed"]
        if record["error"]:
            raise LabsError(f"{refusal}its run with seed {seed} failed {record['error']}")
        if record["stand_in"]:
            raise LabsError(f"{refusal}seed {seed} ran on stand-in data. {record['stand_in']}")
    seeds = {record["parameters"]["seed"]: record for record in records}
    if len(seeds) < FEWEST_SEEDS:
        raise LabsError(
            f"{refusal}{len(seeds)} seeds with the parameters of the book are there, and "
            f"{FEWEST_SEEDS} are needed: labs sweep {chapter} --seeds 0-49"
        )
    notebook = read_notebook(project.notebook(chapter))
    environments = {_machine(record["environment"]) for record in records}
    made = f"{datetime.now(UTC):%Y-%m-%d}, {' and '.join(sorted(environments))}"
    rows = firmness_of(list(seeds.values()), made=made, sources=code_digest(notebook))
    missing = set(findings(notebook)) - {row.name for row in rows}
    if missing:
        raise LabsError(f"{refusal}no run came to its findings {', '.join(sorted(missing))}")
    return rows


def _machine(environment: dict[str, str]) -> str:
    """Return on what a run was made."""
    return f"{environment.get('device', 'CPU')}, PyTorch {environment.get('torch', 'unknown')}"
