"""`tsuji datasets`: bring administrative open data in, list it, show what became of it, take it out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.import_bar import ImportBar
from tsuji.mistakes import NotThereError
from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_geo.opendata.metadata import Metadata
    from tsuji_geo.opendata.reading import DatasetFile
    from tsuji_platform.contract.features import Feature
    from tsuji_platform.store.dataset_records import DatasetRow, FeatureRow, NewDataset

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Administrative open data: shelters, facilities, population and the like.",
)

_SHOWN = 20
_PAGE = 10_000
_UNKNOWN = "not stated"


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or GeoJSON, as a municipality publishes it.")],
    dataset_id: Annotated[
        str, typer.Option("--id", help="Id of the dataset; made from the file's name otherwise.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="Which form it is, such as aed; found out otherwise.")
    ] = "",
    title: Annotated[str, typer.Option(help="Japanese name of the dataset.")] = "",
    title_en: Annotated[str, typer.Option(help="English name of the dataset.")] = "",
    publisher: Annotated[str, typer.Option(help="Who published it.")] = "",
    licence: Annotated[str, typer.Option(help="Terms of use, such as CC BY 4.0.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from: an address or a title.")] = "",
    date: Annotated[
        str,
        typer.Option(help="Of the data: 2025-04-01, 2025/4/1, 令和7年4月1日, a month or a year."),
    ] = "",
    metadata: Annotated[
        Path | None,
        typer.Option(help="TOML with these; otherwise FILE.toml, where there is one."),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Municipality code of all rows that carry none.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column is, such as latitude=Y; may be given several times."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Such as cp932; found out otherwise.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
    notes: Annotated[int, typer.Option(min=0, help="How many rows to name one by one.")] = _SHOWN,
) -> None:
    """Import a dataset; one of the same id is replaced, all of it or nothing."""
    from tsuji_geo.opendata.metadata import Metadata, stated
    from tsuji_geo.opendata.reading import DatasetFile, Options

    said = Metadata(
        id=dataset_id,
        title=title,
        title_en=title_en,
        publisher=publisher,
        licence=licence,
        source=source,
        date=stated(date, "--date") if date else None,
        kind=kind,
    )
    options = Options(
        metadata=said,
        metadata_file=metadata,
        encoding=encoding,
        code=code,
        columns=_columns(column or []),
    )
    url = None if check else wiring.database_url()
    with DatasetFile(file, options) as opened:
        for hint in opened.hints:
            typer.echo(printable(hint), err=True)
        if url is None:
            for _ in _shown(opened):
                pass
        else:
            _store(url, opened)
        for line in opened.report.lines(notes):
            typer.echo(printable(line))
        for line in _about(opened.metadata):
            typer.echo(line)
        if url is None:
            typer.echo(f"nothing was stored; without --check it is dataset {opened.metadata.id}")
            return
    _say_stored(url, opened.metadata.id, notes)


def _columns(given: list[str]) -> dict[str, str]:
    columns = {}
    for one in given:
        ours, equals, theirs = one.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(
                f"{one!r} is not of the form latitude=Y", param_hint="--column"
            )
        columns[ours] = theirs
    return columns


def _store(url: str, opened: "DatasetFile") -> None:
    from tsuji.area_sets import by_kind
    from tsuji_platform.store import Database
    from tsuji_platform.store.database import connect
    from tsuji_platform.store.datasets import Datasets

    connect(url).close()  # says at once why, where it can't be reached
    with Database(url, size=1) as database:
        Datasets(database).put(
            opened.metadata.id, _shown(opened), lambda: _described(opened), by_kind
        )


def _shown(opened: "DatasetFile") -> "Iterator[Feature]":
    """The features, with a bar that shows how far the file is read."""
    with ImportBar(opened.path.name) as bar:
        for number, feature in enumerate(opened.features()):
            if number % 1_000 == 0:
                bar.show(opened.report.rows, opened.report.refused, opened.share())
            yield feature


def _described(opened: "DatasetFile") -> "NewDataset":
    from tsuji_platform.store.dataset_records import NewDataset

    it = opened.metadata
    return NewDataset(
        dataset_id=it.id,
        kind=it.kind,
        title=it.title,
        title_en=it.title_en,
        publisher=it.publisher,
        licence=it.licence,
        source=it.source,
        date=it.date,
        file_name=printable(opened.path.name),
        encoding=opened.encoding,
        report=opened.report.as_json(),
        columns=opened.columns.recognised(),
    )


def _about(it: "Metadata | DatasetRow") -> list[str]:
    """Publisher, licence, source and date, and which option names what is not known."""
    lines = [f"{it.title} ({it.kind})"]
    for name in ("publisher", "licence", "source", "date"):
        value = getattr(it, name)
        lines.append(f"  {name}: {printable(str(value)) if value else _UNKNOWN}")
    return lines


def _say_stored(url: str, dataset_id: str, most: int) -> None:
    from tsuji_platform.contract.features import FeatureFlag
    from tsuji_platform.store import Database
    from tsuji_platform.store.dataset_records import FeatureFilter
    from tsuji_platform.store.datasets import Datasets

    with Database(url, size=1) as database:
        datasets = Datasets(database)
        (stored,) = datasets.datasets(dataset_id)
        elsewhere = datasets.contradicting(dataset_id).get(dataset_id, 0)
        typer.echo(f"imported {stored.features:,} features as dataset {dataset_id}")
        if not elsewhere:
            return
        typer.echo(
            f"{elsewhere:,} lie in another municipality than their code says; they are kept under both:"
        )
        wanted = FeatureFilter(flag=FeatureFlag.POSITION_CONTRADICTS_CODE)
        for it in datasets.features(dataset_id, wanted, limit=max(most, 1))[:most]:
            typer.echo(_elsewhere(it))
        if elsewhere > most:
            typer.echo(
                f"… and {elsewhere - most:,} more (tsuji datasets show {dataset_id} --flagged)"
            )


def _elsewhere(it: "FeatureRow") -> str:
    """A row with its two places, in a line."""
    code = f"code {it.code}" if it.code else "no code"
    place = "no position"
    if it.latitude is not None:
        within = (
            f"in {it.position_code}" if it.position_code else "in no municipality that is known"
        )
        place = f"position {it.latitude}, {it.longitude} {within}"
    return f"line {it.line}: {printable(it.name)}: {code}, {place}"


@app.command("list")
def list_() -> None:
    """List the datasets."""
    from tsuji_platform.store.datasets import Datasets

    with wiring.database() as database:
        for it in Datasets(database).datasets():
            typer.echo(
                f"{it.dataset_id}  {it.kind}  {it.features:,} features  {printable(it.title)}  "
                f"{printable(it.publisher) or _UNKNOWN}  {printable(it.licence) or _UNKNOWN}"
            )


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="Id of the dataset.")],
    flagged: Annotated[
        bool, typer.Option("--flagged", help="List the rows that have a flag, all of them.")
    ] = False,
) -> None:
    """Show where a dataset comes from, what its import did, and the rows that are flagged."""
    from tsuji_platform.store.dataset_records import FeatureFilter
    from tsuji_platform.store.datasets import Datasets

    with wiring.database() as database:
        datasets = Datasets(database)
        found = datasets.datasets(dataset)
        if not found:
            raise NotThereError(f"there is no dataset {dataset!r}; see `tsuji datasets list`")
        (it,) = found
        for line in _about(it):
            typer.echo(line)
        typer.echo(
            f"  file: {it.file_name} ({it.encoding}), imported {it.imported_at:%Y-%m-%d %H:%M} UTC"
        )
        for ours, theirs in sorted(it.columns.items()):
            typer.echo(f"  column {ours}: {printable(', '.join(theirs))}")
        elsewhere = datasets.contradicting(dataset).get(dataset, 0)
        for line in _of_report(it.report, elsewhere):
            typer.echo(line)
        after = 0
        while flagged:
            rows = datasets.features(dataset, FeatureFilter(flagged=True), limit=_PAGE, after=after)
            if not rows:
                break
            for row in rows:
                typer.echo(f"{_elsewhere(row)}: {', '.join(row.flags)}")
            after = rows[-1].number


def _of_report(report: dict[str, object], elsewhere: int) -> list[str]:
    """What is stored of an import's report, in lines."""
    names = ("rows", "taken", "repaired", "doubtful", "refused")
    lines = [", ".join(f"{name} {report[name]}" for name in names if name in report)]
    lines.append(f"position_contradicts_code: {elsewhere}")
    flags = report.get("flags")
    if isinstance(flags, dict):
        lines += [f"{flag}: {count}" for flag, count in flags.items()]
    notes = report.get("notes")
    for note in notes if isinstance(notes, list) else []:
        lines.append(printable(f"line {note['line']}: {note['what']}: {note['detail']}"))
    return lines


@app.command()
def remove(dataset: Annotated[str, typer.Argument(help="Id of the dataset.")]) -> None:
    """Remove a dataset with all its features."""
    from tsuji_platform.store.datasets import Datasets

    with wiring.database() as database:
        if not Datasets(database).remove(dataset):
            raise NotThereError(f"there is no dataset {dataset!r}; see `tsuji datasets list`")
    typer.echo(f"removed {dataset}")
