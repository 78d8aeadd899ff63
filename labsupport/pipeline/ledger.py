"""The ledger of claims: what the reports say, and what the chapters found."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from nbformat import NotebookNode

from labsupport.pipeline.notebooks import code_cells, findings
from labsupport.pipeline.project import LabsError, read_yaml

__all__ = ["Claim", "ledger_markdown", "ledger_problems", "read_ledger"]

VERDICTS = ("holds", "holds with a condition", "wrong", "open question answered")

_CLAIM = re.compile(r"^(?=[-* ]*\*\*C\d+\.)", re.MULTILINE)
_VERDICT = re.compile(r"\*\*(Holds with a\s+condition|Holds|Wrong|Open question\s+answered)\b")


@dataclass(frozen=True)
class Claim:
    """A claim of a report, as the ledger lists it.

    Attributes
    ----------
    id : str
        "C1" and so on.
    source : str
        The report that makes the claim, "S1" to "S5".
    claim : str
        What it says.
    verdict : str
        One of `VERDICTS`.
    shown : str
        The code cell whose figure or table shows it, as `chapter#cell-id`.
    findings : list of str
        The names of the findings of that chapter on which the verdict rests; their words are the
        reason that the page gives.
    """

    id: str
    source: str
    claim: str
    verdict: str
    shown: str
    findings: list[str]

    @property
    def chapter(self) -> str:
        """The chapter that settles the claim."""
        return self.shown.partition("#")[0]


def read_ledger(path: Path) -> list[Claim]:
    """Read the claims in the order of their numbers.

    Raises
    ------
    LabsError
        If the file is no list, if an entry lacks a field, has an unknown one or an unknown verdict,
        or if the ids are not C1, C2 and so on without a gap.
    """
    names = [field.name for field in fields(Claim)]
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise LabsError(f"{path} must be a list of claims, each with {', '.join(names)}")
    claims = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or list(entry) != names:
            raise LabsError(f"{path}: entry {number} must have the fields {', '.join(names)}")
        claim = Claim(**entry)
        if not isinstance(claim.findings, list) or not claim.findings:
            raise LabsError(f"{path}: entry {number} names no findings: give a list of names")
        if claim.id != f"C{number}":
            raise LabsError(f"{path}: entry {number} has the id {claim.id!r}, not C{number}")
        if claim.verdict not in VERDICTS:
            raise LabsError(
                f"{path}: {claim.id} has the verdict {claim.verdict!r}; write one of "
                f"{', '.join(VERDICTS)}"
            )
        claims.append(claim)
    return claims


def ledger_problems(claims: Sequence[Claim], chapters: Mapping[str, NotebookNode]) -> Iterator[str]:
    """Yield one line for each way in which the ledger and the chapters disagree.

    Parameters
    ----------
    chapters : mapping from name to notebook
    """
    cells = {f"{name}#{c.id}" for name, notebook in chapters.items() for c in code_cells(notebook)}
    found = {name: findings(notebook) for name, notebook in chapters.items()}
    stated = {}
    for chapter, notebook in chapters.items():
        for claim_id, verdict in _stated_verdicts(notebook):
            if claim_id in stated:
                yield f"{claim_id} is settled in {stated[claim_id][0]} and in {chapter}"
            stated[claim_id] = chapter, verdict
    for claim in claims:
        chapter, verdict = stated.pop(claim.id, ("no chapter", "nothing"))
        if (chapter, verdict) != (claim.chapter, claim.verdict):
            yield (
                f"{claim.id} is {claim.verdict!r} by {claim.chapter} in the ledger, but "
                f"{verdict!r} by {chapter}"
            )
        if claim.shown not in cells:
            yield f"{claim.id} names the code cell {claim.shown}, which does not exist"
        for name in claim.findings:
            if name not in found.get(claim.chapter, {}):
                yield f"{claim.id} rests on the finding {name!r}, which {claim.chapter} has not"
            elif not found[claim.chapter][name]["held"]:
                yield f"{claim.id} rests on the finding {name!r}, which does not hold"
    for claim_id, (chapter, _) in stated.items():
        yield f"{claim_id} is settled in {chapter}, but is not in the ledger"


def _stated_verdicts(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield the claims that a chapter settles, with the verdict its text gives."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for paragraphs in _CLAIM.split(text)[1:]:
        claim_id = re.search(r"C\d+", paragraphs)[0]
        verdict = _VERDICT.search(paragraphs)
        yield claim_id, " ".join(verdict[1].lower().split()) if verdict else "nothing"


def ledger_markdown(claims: Sequence[Claim], *, chapter: str | None = None) -> str:
    """Return the claims that `chapter` settles as a table, or the count of all verdicts."""
    if chapter is None:
        return _count_markdown(claims)
    label = f"lab-{chapter.replace('_', '-')}"
    rows = [
        f"| {claim.id} | {claim.source}: {claim.claim} | **{claim.verdict.capitalize()}.** "
        f"{_reasons(claim)} {{ref}}`Shown <{claim.shown}>`. |"
        for claim in claims
        if claim.chapter == chapter
    ]
    lines = [f"Settled in {{ref}}`{label}`.", "", "| | the report says | the verdict |"]
    return "\n".join([*lines, "|---|---|---|", *rows])


def _reasons(claim: Claim) -> str:
    """Return the words of its findings as the run has stored them, each with a link to its mark."""
    place = f"{claim.chapter}.ipynb::{claim.chapter.replace('_', '-')}"
    return " ".join(
        f"{{glue:text}}`{place}-{name}:s` ({{ref}}`found here <{claim.chapter}#finding-{name}>`)"
        for name in claim.findings
    )


def _count_markdown(claims: Sequence[Claim]) -> str:
    """Return how often each report got each verdict."""
    sources = sorted({claim.source for claim in claims})
    rows = []
    for label, chosen in [(s, [c for c in claims if c.source == s]) for s in sources] + [
        ("all", claims)
    ]:
        counts = [sum(claim.verdict == verdict for claim in chosen) for verdict in VERDICTS]
        rows.append(f"| {label} | {' | '.join(map(str, counts))} | {len(chosen)} |")
    header = f"| report | {' | '.join(VERDICTS)} | claims |"
    return "\n".join([header, "|---|" + "--:|" * (len(VERDICTS) + 1), *rows])
