"""What a sweep found, for its user: how often findings held, how far numbers spread."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from labsupport.pipeline.bands import as_printed, is_inside
from labsupport.pipeline.files import write_atomically
from labsupport.pipeline.firmness import Firm, firmness_of, wilson_interval
from labsupport.pipeline.notebooks import numbers, read_notebook
from labsupport.pipeline.project import Project

__all__ = ["same_parameters", "write_report"]


def write_report(project: Project, records: Sequence[Mapping], folder: Path) -> str:
    """Write `report.md`, and a figure for each swept parameter and number; return the text."""
    lines = ["# What the sweep found", ""]
    for chapter, found in _by_chapter(records):
        printed = numbers(read_notebook(project.notebook(chapter)))
        for parameters, runs in same_parameters(found):
            lines += _part(chapter, parameters, runs, printed)
        lines += _figures(chapter, found, folder)
    text = "\n".join(lines) + "\n"
    write_atomically(text, folder / "report.md")
    return text


def _by_chapter(records: Sequence[Mapping]) -> Iterator[tuple[str, list[Mapping]]]:
    """Yield each chapter with the records of its runs."""
    ordered = sorted(records, key=lambda record: record["chapter"])
    for chapter, found in itertools.groupby(ordered, lambda record: record["chapter"]):
        yield chapter, list(found)


def same_parameters(records: Iterable[Mapping]) -> list[tuple[dict, list[Mapping]]]:
    """Return the runs of one chapter, those together that differ in the seed alone."""
    groups: dict[str, list[Mapping]] = {}
    for record in records:
        rest = {n: v for n, v in record["parameters"].items() if n not in ("seed", "device")}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(record)
    return [(json.loads(rest), runs) for rest, runs in groups.items()]


def _part(
    chapter: str, parameters: Mapping, runs: Sequence[Mapping], printed: Mapping
) -> Iterator[str]:
    """Yield the lines about runs of one chapter with the same parameters."""
    changed = ", ".join(f"{name} {value}" for name, value in parameters.items())
    yield f"## {chapter}, {changed or 'the parameters of the book'}"
    yield ""
    failed = [run for run in runs if run["error"]]
    for run in failed:
        yield f"Seed {run['parameters']['seed']} failed {run['error']} ({run['copy'] or 'no copy'})"
    stand_in = sum(bool(run["stand_in"]) for run in runs)
    if stand_in:
        yield f"{stand_in} of {len(runs)} runs used stand-in data."
    if len(failed) == len(runs):
        yield ""
        return
    firm = firmness_of([run for run in runs if not run["error"]])
    yield ""
    yield f"| finding, seeds {firm[0].seeds if firm else ''} | held | 95% interval | breaking |"
    yield "|---|--:|---|---|"
    for row in firm:
        if row.kind == "finding":
            low, high = wilson_interval(row.held, row.runs)
            interval = f"{low:.0%} to {high:.0%}"
            yield f"| {row.name} | {row.held} of {row.runs} | {interval} | {row.breaking} |"
    yield ""
    yield "| number | the book | median | 5% to 95% | inside |"
    yield "|---|--:|--:|---|---|"
    for row in firm:
        if row.kind == "number":
            text = printed.get(row.name, {}).get("text", "")
            low, median, high = (as_printed(text, row, v) for v in (row.low, row.median, row.high))
            inside = "yes" if is_inside(row, printed) else "no"
            yield f"| {row.name} | {text} | {median} | {low} to {high} | {inside} |"
    yield ""


def _figures(chapter: str, records: Sequence[Mapping], folder: Path) -> Iterator[str]:
    """Draw each number over each parameter that was swept; yield lines that show the figures."""
    groups = same_parameters([record for record in records if not record["error"]])
    names = sorted({name for parameters, _ in groups for name in parameters})
    for name in names:
        points: dict[str, dict] = {}
        rest_of = lambda p, name=name: {n: v for n, v in p.items() if n != name}  # noqa: E731
        for parameters, runs in groups:
            if isinstance(parameters.get(name), int | float):
                rest = json.dumps(rest_of(parameters), sort_keys=True)
                points.setdefault(rest, {})[parameters[name]] = firmness_of(runs)
        for rest, line in points.items():
            if len(line) > 1:
                path = folder / f"{chapter}-{name}{_suffix(rest)}.png"
                _draw(chapter, name, json.loads(rest), dict(sorted(line.items())), path)
                yield f"![{chapter}: numbers over {name}]({path.name})"
                yield ""


def _suffix(rest: str) -> str:
    """Return what tells the figures of one parameter apart, by the values of the others."""
    return "".join(f"-{name}-{value}" for name, value in json.loads(rest).items())


def _draw(
    chapter: str, name: str, rest: Mapping, line: Mapping[float, list[Firm]], path: Path
) -> None:
    """Draw median and band of each number over a parameter."""
    import matplotlib.pyplot as plt

    rows: dict[str, dict[float, Firm]] = {}
    for value, firm in line.items():
        for row in firm:
            if row.kind == "number":
                rows.setdefault(row.name, {})[value] = row
    columns = 3
    height = math.ceil(len(rows) / columns)
    figure, axes = plt.subplots(
        height, columns, figsize=(4 * columns, 2.5 * height), squeeze=False, layout="constrained"
    )
    for ax, (number, found) in itertools.zip_longest(axes.flat, rows.items(), fillvalue=("", {})):
        if not found:
            ax.set_axis_off()
            continue
        x = list(found)
        low, median, high = ([getattr(found[v], w) for v in x] for w in ("low", "median", "high"))
        ax.fill_between(x, low, high, alpha=0.25)
        ax.plot(x, median, marker="o")
        ax.set(title=number, xlabel=name)
    others = "".join(f", {other} {value}" for other, value in rest.items())
    figure.suptitle(f"{chapter}{others}: median and band over the seeds")
    figure.savefig(path, dpi=100)
    plt.close(figure)
