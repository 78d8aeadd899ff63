"""How firm findings and numbers are: how often they held, how far they spread over the seeds."""

import csv
import hashlib
import io
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path

from labsupport.pipeline.project import LabsError

__all__ = [
    "FIRMNESS",
    "Firm",
    "firmness_of",
    "firmness_text",
    "read_firmness",
    "seeds_text",
    "wilson_interval",
]

FIRMNESS = "firmness.csv"  # in book/
Z = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Firm:
    """How firm one finding, number or word of a chapter is.

    Attributes
    ----------
    chapter, name : str
    kind : str
        "finding", "number" or "word".
    seeds : str
        Such as "0-49".
    runs : int
        How many there are.
    held : int
        In how many a finding held, or a word was the most frequent one; 0 for a number.
    breaking : str
        The seeds with which it did not.
    low, median, high : float
        Of a number: 5%, 50% and 95% of its runs are at most that; nan otherwise.
    word : str
        The most frequent word.
    made : str
        When and where the runs were made.
    sources : str
        Changes with the code of the chapter.
    """

    chapter: str
    kind: str
    name: str
    seeds: str
    runs: int
    held: int
    breaking: str
    low: float
    median: float
    high: float
    word: str
    made: str
    sources: str


COLUMNS = [field.name for field in fields(Firm)]


def wilson_interval(held: int, runs: int) -> tuple[float, float]:
    """Return the 95% interval of a share, after Wilson: it fits where all or none held, too.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of
    the American Statistical Association 22 (1927), 209-212.
    """
    share, z2 = held / runs, Z * Z
    middle = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = Z / (1 + z2 / runs) * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs))
    return max(0.0, middle - half), min(1.0, middle + half)


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile, between two values by a straight line; it may be infinite, or nan."""
    ordered = sorted(values)
    if any(math.isnan(value) for value in ordered):
        return math.nan
    place = share * (len(ordered) - 1)
    below, part = int(place), place % 1
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low if part == 0 or low == high else low + part * (high - low)


def seeds_text(seeds: Iterable[int]) -> str:
    """Write seeds as a user may name them, such as "0-49" or "1,5,10-12"."""
    parts: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], seed]
        else:
            parts.append([seed])
    return ",".join("-".join(map(str, part)) for part in parts)


def firmness_of(records: Sequence[Mapping], *, made: str = "", sources: str = "") -> list[Firm]:
    """Return how firm all is that the runs of one chapter tell, in the order of the chapter.

    Parameters
    ----------
    records
        Of runs that differ in their seeds alone, and did not fail.
    """
    seeds = {record["parameters"]["seed"] for record in records}
    common = {"chapter": records[0]["chapter"], "seeds": seeds_text(seeds)}
    common |= {"made": made, "sources": sources}
    empty = {"held": 0, "breaking": "", "word": ""}
    empty |= dict.fromkeys(("low", "median", "high"), math.nan)
    firm = []
    for name in _names(records, "findings"):
        held = {r["parameters"]["seed"]: r["findings"][name]["held"] for r in _with(records, name)}
        told = {"held": sum(held.values()), "runs": len(held)}
        told["breaking"] = seeds_text(seed for seed, it_held in held.items() if not it_held)
        firm.append(Firm(**common | empty | told, kind="finding", name=name))
    for name in _names(records, "numbers"):
        runs = [r for r in records if name in r["numbers"]]
        values = [r["numbers"][name]["value"] for r in runs]
        told = {"runs": len(runs), "name": name}
        if all(_is_number(value) for value in values):
            numbers = [float(value) for value in values]
            places = {"low": 0.05, "median": 0.5, "high": 0.95}
            told |= {which: quantile(numbers, share) for which, share in places.items()}
            firm.append(Firm(**common | empty | told, kind="number"))
        else:
            words = {r["parameters"]["seed"]: str(r["numbers"][name]["value"]) for r in runs}
            word, count = Counter(words.values()).most_common(1)[0]
            other = (seed for seed, found in words.items() if found != word)
            told |= {"word": word, "held": count, "breaking": seeds_text(other)}
            firm.append(Firm(**common | empty | told, kind="word"))
    return firm


def _names(records: Sequence[Mapping], what: str) -> list[str]:
    """Return all names, in the order of the first run that has them."""
    return list(dict.fromkeys(name for record in records for name in record[what]))


def _with(records: Sequence[Mapping], name: str) -> list[Mapping]:
    """Return the runs that came to a finding; with some parameters none is looked at."""
    return [record for record in records if name in record["findings"]]


def _is_number(value: object) -> bool:
    """Tell a number, which a record may write as "nan" or "inf", from a word."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def firmness_text(rows: Iterable[Firm]) -> str:
    """Return what the file holds for these rows, each with a seal."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "seal"])
    for row in rows:
        told = [_written(getattr(row, name)) for name in COLUMNS]
        writer.writerow([*told, _seal(told)])
    return text.getvalue()


def read_firmness(path: Path) -> list[Firm]:
    """Return how firm each finding and number is; nothing if there is no file.

    Raises
    ------
    LabsError
        If the file is damaged, or was edited by hand.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
        if header != [*COLUMNS, "seal"]:
            raise ValueError(f"its columns are {', '.join(header)}")
        firm = []
        for number, (*told, seal) in enumerate(rows, start=2):
            if len(told) != len(COLUMNS) or seal != _seal(told):
                raise ValueError(f"line {number} was not written by labs sweep --bless")
            firm.append(Firm(*map(_read, fields(Firm), told)))
        return firm
    except (ValueError, csv.Error) as error:
        raise LabsError(
            f"{path} is damaged ({error}): restore it (git checkout), or delete it and sweep and "
            "bless the chapters again"
        ) from error


def _read(field: Field, text: str) -> object:
    """Return a field as it was before it was written."""
    return float(text or "nan") if field.type is float else field.type(text)


def _written(value: object) -> str:
    """Return how the file holds a field."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _seal(told: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
