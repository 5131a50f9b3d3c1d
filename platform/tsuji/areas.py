"""`tsuji areas`: bring area sets in, list them, take them out."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.byte_bar import ByteBar
from tsuji.mistakes import NotThereError

if TYPE_CHECKING:
    from tsuji_geo.boundaries import AreaImport

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Areas: municipalities, meshes and other polygons.",
)

_DISPLAY_TOLERANCE_M = 20.0


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="GeoJSON, shapefile (also zipped), GeoPackage or FlatGeobuf."),
    ],
    set_id: Annotated[
        str | None,
        typer.Option("--id", help="Id of the area set; made from codes or file name otherwise."),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Of any polygons: whose values are the codes. N03 otherwise."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Whose values are the names; the codes otherwise."),
    ] = None,
    name_en: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Whose values are English names.")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Name of the area set; the file's otherwise.")
    ] = None,
    title_en: Annotated[str, typer.Option(help="English name of the area set.")] = "",
    source: Annotated[
        str | None,
        typer.Option(help="Credit line, shown with the areas; the file's name otherwise."),
    ] = None,
    licence: Annotated[str, typer.Option(help="Terms of use.")] = "",
) -> None:
    """Import municipality boundaries (国土数値情報 N03), or with --code any file of polygons."""
    from tsuji_geo.boundaries import read_boundaries, read_polygons

    url = wiring.answering_database_url()
    if code is None:
        given = {"--name": name, "--title": title, "--title-en": title_en, "--source": source}
        for option, value in (given | {"--licence": licence}).items():
            if value:
                raise typer.BadParameter(
                    f"{option} is for polygons of any kind: name the column of their codes, too (--code)"
                )
        _put(url, read_boundaries(file, set_id=set_id, name_en_column=name_en))
        return
    result = read_polygons(
        file,
        code_column=code,
        name_column=name or code,
        name_en_column=name_en,
        set_id=set_id or _id_of(file),
        name=title or file.stem,
        name_en=title_en,
        source=source or file.name,
        licence=licence,
    )
    _put(url, result)


def _id_of(file: Path) -> str:
    """An area set's id out of a file's name; empty, which is refused, where nothing is left of it."""
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:63]


def _put(url: str, result: "AreaImport") -> None:
    """Store what a file became, and say what that is."""
    from tsuji.area_sets import put
    from tsuji_geo.display import simplify
    from tsuji_platform.store import Areas, Database

    with Database(url, size=1) as database:
        put(Areas(database), simplify(result.area_set, _DISPLAY_TOLERANCE_M))
    for line in result.lines():
        typer.echo(line)
    typer.echo(f"imported as area set {result.area_set.id}")


@app.command()
def fetch(
    prefecture: Annotated[
        str, typer.Argument(help="Its number, 01 to 47, or its name: 13 or Tokyo.")
    ],
    year: Annotated[
        int | None,
        typer.Option(help="Edition, as of 1 January; the newest that is there otherwise."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="PATTERN", help="Where the file is; TSUJI_N03_URL otherwise."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Download it even if it is kept already.")
    ] = False,
    only: Annotated[
        bool, typer.Option("--only", help="Download, check and keep it; import nothing.")
    ] = False,
) -> None:
    """Download a prefecture's official boundaries from 国土数値情報 (N03), check, keep and import them."""
    from tsuji_geo.official import fetch_boundaries, prefecture_of
    from tsuji_platform.settings import AreaSettings

    with ByteBar("the publisher's file") as bar:
        fetched = fetch_boundaries(
            prefecture_of(prefecture),
            wiring.instance().home / "downloads",
            pattern=address or AreaSettings().n03_url,
            year=year,
            again=again,
            on_bytes=bar.show,
        )
    how = (
        f"downloaded from {fetched.url}"
        if fetched.is_new
        else "kept from before (--again renews it)"
    )
    typer.echo(f"{fetched.path}: {fetched.size:,} bytes, {how}")
    if only:
        for line in fetched.boundaries.lines():
            typer.echo(line)
    else:
        _put(wiring.answering_database_url(), fetched.boundaries)


@app.command("list")
def list_() -> None:
    """List the area sets."""
    from tsuji_platform.store import Areas

    with wiring.database() as database:
        for row in Areas(database).sets():
            typer.echo(
                f"{row.area_set_id}  {row.kind}  {row.areas} areas  {row.name}  {row.name_en}"
            )


# Degrees may be negative: -37.9 is no option.
@app.command(context_settings={"ignore_unknown_options": True})
def mesh(
    west: Annotated[float, typer.Argument(help="Western edge, degrees east.")],
    south: Annotated[float, typer.Argument(help="Southern edge, degrees north.")],
    east: Annotated[float, typer.Argument(help="Eastern edge, degrees east.")],
    north: Annotated[float, typer.Argument(help="Northern edge, degrees north.")],
    size: Annotated[int, typer.Option(help="1000, 500 or 250 metres.")] = 500,
    set_id: Annotated[
        str | None, typer.Option("--id", help="Id of the area set; mesh500 and the like otherwise.")
    ] = None,
) -> None:
    """Cover an extent with the meshes of JIS X 0410."""
    from tsuji.area_sets import put
    from tsuji_geo.mesh import mesh_area_set
    from tsuji_platform.store import Areas, Database

    url = wiring.answering_database_url()
    area_set = mesh_area_set(size, (west, south, east, north), set_id=set_id)
    with Database(url, size=1) as database:
        put(Areas(database), area_set)
    typer.echo(f"{len(area_set.areas)} meshes are area set {area_set.id}")


@app.command()
def remove(area_set: Annotated[str, typer.Argument(help="Id of the area set.")]) -> None:
    """Remove an area set; things and observations stay."""
    from tsuji_platform.store import Areas

    with wiring.database() as database:
        if not Areas(database).remove(area_set):
            raise NotThereError(f"there is no area set {area_set!r}; see `tsuji areas list`")
    typer.echo(f"removed {area_set}")


@app.command()
def demo() -> None:
    """Store the demonstration's meshes of central Tokyo where there is no area set yet."""
    from tsuji.area_sets import put_demonstration

    made = put_demonstration(wiring.answering_database_url())
    typer.echo("\n".join(f"made {area_set}" for area_set in made) or "there are area sets already")
