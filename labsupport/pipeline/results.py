"""The results of a sweep: a file for each run, and one tidy table of all."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from labsupport.pipeline.files import remove_leftovers, write_atomically
from labsupport.pipeline.grid import PlannedRun, Source

__all__ = ["COLUMNS", "Results", "rows_of", "table_text", "write_parquet"]

COLUMNS = (
    "run",
    "chapter",
    "seed",
    "parameters",
    "kind",
    "name",
    "held",
    "value",
    "text",
    "seconds",
    "worker",
    "stand_in",
    "error",
    "copy",
)


class Results:
    """What the runs of sweeps have left in a folder.

    A run is written when it has ended, as a whole or not at all. So a sweep that is killed loses
    the runs under way and no other.

    Parameters
    ----------
    folder : Path
        Of the sweeps, under the build folder.
    """

    def __init__(self, folder: Path):
        self.runs, self.failed = folder / "runs", folder / "failed"
        self.table, self.parquet = folder / "sweep.csv", folder / "sweep.parquet"
        for place in (self.runs, self.failed):
            place.mkdir(parents=True, exist_ok=True)
            remove_leftovers(place)

    def has(self, run: PlannedRun) -> bool:
        """Tell whether a run has ended well, on the real data; others are run again."""
        record = self.read(run)
        return bool(record) and not record["error"] and not record["stand_in"]

    def read(self, run: PlannedRun) -> dict | None:
        """Return the record of a run, or None if there is none or it is damaged."""
        try:
            return json.loads((self.runs / f"{run.key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def keep(self, run: PlannedRun, source: Source, result: Mapping) -> dict:
        """Write the record of a run that has ended, and its copy if it has failed."""
        copy = self.failed / f"{run.key}.ipynb"
        copy.unlink(missing_ok=True)
        if result["error"]:
            write_atomically(result["log"], copy.with_suffix(".log"))
            if result["notebook"]:
                write_atomically(result["notebook"], copy)
        record = {
            "run": run.key,
            "chapter": run.chapter,
            "state": source.state,
            "parameters": dict(run.parameters),
            "error": result["error"],
            "copy": str(copy) if copy.exists() else "",
            "stand_in": result.get("stand_in", ""),
            "findings": result.get("findings", {}),
            "numbers": result.get("numbers", {}),
            "environment": result.get("environment", {}),
            "seconds": result["seconds"],
            "worker": result["worker"],
        }
        write_atomically(json.dumps(record), self.runs / f"{run.key}.json")
        return record

    def current(self, sources: Iterable[Source]) -> list[dict]:
        """Return the records of all runs of these chapters as they are now."""
        states = {source.chapter: source.state for source in sources}
        records = []
        for path in sorted(self.runs.glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                continue
            if states.get(record["chapter"]) == record["state"]:
                records.append(record)
        return sorted(records, key=lambda r: (r["chapter"], json.dumps(r["parameters"])))


def rows_of(record: Mapping) -> Iterator[dict[str, object]]:
    """Yield a row for each finding and each number of a run, or one that says why it failed."""
    changed = {n: v for n, v in record["parameters"].items() if n not in ("seed", "device")}
    common = {
        "run": record["run"],
        "chapter": record["chapter"],
        "seed": record["parameters"]["seed"],
        "parameters": json.dumps(changed),
        **{name: record[name] for name in ("seconds", "worker", "stand_in", "error", "copy")},
    }
    empty = dict.fromkeys(COLUMNS)
    if record["error"]:
        yield empty | common | {"kind": "error"}
    for name, found in record["findings"].items():
        kept = {"kind": "finding", "name": name, "held": found["held"], "text": found["words"]}
        yield empty | common | kept
    for name, number in record["numbers"].items():
        value = number["value"]
        value = float(value) if isinstance(value, int | float) else None  # a word has none
        kept = {"kind": "number", "name": name, "value": value, "text": number["text"]}
        yield empty | common | kept


def table_text(records: Iterable[Mapping], *, header: bool = True) -> str:
    """Return rows of the table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    for record in records:
        writer.writerows(rows_of(record))
    return text.getvalue()


def write_parquet(records: Iterable[Mapping], path: Path) -> None:
    """Write the table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"seed": pa.int64(), "held": pa.bool_(), "value": pa.float64()}
    types |= {"seconds": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    rows = [row for record in records for row in rows_of(record)]
    temporary = path.with_name(f".new-{path.name}")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
    temporary.replace(path)
