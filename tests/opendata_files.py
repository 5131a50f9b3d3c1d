"""Small files of open data, imported as `tsuji datasets import` does."""

from pathlib import Path

from tsuji_geo.assignment import assign
from tsuji_geo.opendata.reading import DatasetFile
from tsuji_platform.store import Database
from tsuji_platform.store.dataset_records import NewDataset
from tsuji_platform.store.datasets import Datasets

SHELTERS = """\
全国地方公共団体コード,名称,緯度,経度,想定収容人数,災害種別_地震
131041,西小学校,35.695,139.695,500,1
131041,東小学校,35.695,139.705,"1,200",0
131016,迷子小学校,35.695,139.695,,
131041,住所だけ,,,30,
"""
POPULATION = """\
市区町村コード,地域名,調査年月日,総人口,男性,女性,0-4歳の男性,世帯数
131041,,令和7年1月1日,351000,176000,175000,6000,231000
131041,,2020/1/1,348000,174000,174000,,
131016,神田,2025/1/1,100,40,60,,50
131016,駿河台,2025/1/1,200,90,110,,80
"""


def put(database: Database, path: Path, text: str) -> None:
    path.write_text(text, encoding="cp932")
    path.with_name(f"{path.name}.toml").write_text(
        'publisher = "新宿区"\nlicence = "CC BY 4.0"\ndate = "令和7年4月"\n', encoding="utf-8"
    )
    with DatasetFile(path) as file:
        Datasets(database).put(
            file.metadata.id,
            file.features(),
            lambda: NewDataset(
                dataset_id=file.metadata.id,
                kind=file.metadata.kind,
                title=file.metadata.title,
                title_en=file.metadata.title_en,
                publisher=file.metadata.publisher,
                licence=file.metadata.licence,
                source=file.metadata.source,
                date=file.metadata.date,
                file_name=path.name,
                encoding=file.encoding,
                report=file.report.as_json(),
                columns=file.columns.recognised(),
            ),
            lambda points, shapes, kind: assign(points, shapes, kind=kind),
        )
