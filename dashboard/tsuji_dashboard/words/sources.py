"""What publishers, licences and sources that are known by their Japanese names are called in English."""

_PREFECTURES = (
    "北海道 Hokkaido,青森県 Aomori,岩手県 Iwate,宮城県 Miyagi,秋田県 Akita,山形県 Yamagata,福島県 Fukushima,"
    "茨城県 Ibaraki,栃木県 Tochigi,群馬県 Gunma,埼玉県 Saitama,千葉県 Chiba,神奈川県 Kanagawa,新潟県 Niigata,"
    "富山県 Toyama,石川県 Ishikawa,福井県 Fukui,山梨県 Yamanashi,長野県 Nagano,岐阜県 Gifu,静岡県 Shizuoka,"
    "愛知県 Aichi,三重県 Mie,滋賀県 Shiga,京都府 Kyoto,大阪府 Osaka,兵庫県 Hyogo,奈良県 Nara,"
    "和歌山県 Wakayama,"
    "鳥取県 Tottori,島根県 Shimane,岡山県 Okayama,広島県 Hiroshima,山口県 Yamaguchi,徳島県 Tokushima,"
    "香川県 Kagawa,愛媛県 Ehime,高知県 Kochi,福岡県 Fukuoka,佐賀県 Saga,長崎県 Nagasaki,熊本県 Kumamoto,"
    "大分県 Oita,宮崎県 Miyazaki,鹿児島県 Kagoshima,沖縄県 Okinawa"
)
_TOKYO = "Tokyo Metropolitan Government"
ENGLISH: dict[str, str] = {
    "「国土数値情報（行政区域データ）」（国土交通省）を加工して作成": (
        "made from National Land Numerical Information (MLIT, Japan)"
    ),
    "国土数値情報ダウンロードサイトコンテンツ利用規約": (
        "terms of use of the National Land Numerical Information download site"
    ),
    "国土交通省": "Ministry of Land, Infrastructure, Transport and Tourism, Japan",
    "国土地理院": "Geospatial Information Authority of Japan",
    "総務省統計局": "Statistics Bureau of Japan",
    "総務省統計局、東京都": f"Statistics Bureau of Japan, {_TOKYO}",
    "気象庁": "Japan Meteorological Agency",
    "JIS X 0410 地域メッシュ": "JIS X 0410 grid squares",
    "東京都": _TOKYO,
    "東京都総務局": f"Bureau of General Affairs, {_TOKYO}",
    **{
        name: f"{english} Prefecture"
        for name, _, english in (one.partition(" ") for one in _PREFECTURES.split(","))
    },
    "北海道": "Hokkaido Government",
}
"""By what imports say; all else is shown as it was published."""

TEXTS: dict[str, tuple[str, str]] = {
    f"credited.{name}": (name, english) for name, english in ENGLISH.items()
}
