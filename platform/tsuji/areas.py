"""`tsuji areas`: bring area sets in, list them, take them out."""

from pathlib import Path
from typing import Annotated

import typer

from tsuji import wiring

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Areas: municipalities, meshes and other polygons.",
)

_DISPLAY_TOLERANCE_M = 20.0


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="GeoJSON, zipped shapefile or what else GDAL reads.")
    ],
    set_id: Annotated[
        str | None, typer.Option("--id", help="Id of the area set; made from the codes otherwise.")
    ] = None,
) -> None:
    """Import municipality boundaries in the form of 国土数値情報 N03."""
    from tsuji.area_sets import put
    from tsuji_geo.boundaries import read_boundaries
    from tsuji_geo.display import simplify
    from tsuji_platform.store import Areas, Database

    url = wiring.database_url()
    result = read_boundaries(file, set_id=set_id)
    with Database(url, size=1) as database:
        put(Areas(database), simplify(result.area_set, _DISPLAY_TOLERANCE_M))
    for line in result.lines():
        typer.echo(line)
    typer.echo(f"imported as area set {result.area_set.id}")


@app.command("list")
def list_() -> None:
    """List the area sets."""
    from tsuji_platform.store import Areas, Database

    with Database(wiring.database_url(), size=1) as database:
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

    url = wiring.database_url()
    area_set = mesh_area_set(size, (west, south, east, north), set_id=set_id)
    with Database(url, size=1) as database:
        put(Areas(database), area_set)
    typer.echo(f"{len(area_set.areas)} meshes are area set {area_set.id}")


@app.command()
def remove(area_set: Annotated[str, typer.Argument(help="Id of the area set.")]) -> None:
    """Remove an area set; things and observations stay."""
    from tsuji_platform.store import Areas, Database

    with Database(wiring.database_url(), size=1) as database:
        if not Areas(database).remove(area_set):
            raise typer.BadParameter(f"there is no area set {area_set!r}; see `tsuji areas list`")
    typer.echo(f"removed {area_set}")


@app.command()
def demo() -> None:
    """Store the demonstration's meshes of central Tokyo where there is no area set yet."""
    from tsuji.area_sets import put_demonstration

    made = put_demonstration(wiring.database_url())
    typer.echo("\n".join(f"made {area_set}" for area_set in made) or "there are area sets already")
