"""What stands about every page: header, connection, banner, ages, counts and credits."""

TEXTS: dict[str, tuple[str, str]] = {
    # the frame
    "title": ("辻 Tsuji — 街のいまを地図で", "Tsuji — the city, live"),
    "tagline": ("街のいまを地図で", "The city, live"),
    "language.other": ("English", "日本語"),
    "language.switch": ("Switch to English", "日本語に切り替える"),
    "theme.to_dark": ("暗い配色にする", "Use the dark theme"),
    "theme.to_light": ("明るい配色にする", "Use the light theme"),
    "skip": ("エリア一覧へ移動", "Skip to the list of areas"),
    "page.unknown": ("このページはありません", "There is no such page"),
    "page.back": ("地図へ", "To the map"),
    "script.needed": (
        "この地図の表示には JavaScript が必要です。",
        "This map needs JavaScript.",
    ),
    # connection
    "live.connecting": ("接続中…", "Connecting…"),
    "live.live": ("ライブ", "Live"),
    "live.away": ("データAPI停止中", "Data API away"),
    "live.limited": ("30秒ごとに更新", "Every 30 s"),
    "live.lost": ("切断", "Disconnected"),
    "live.past": ("過去の時点", "Past moment"),
    "live.newest": ("最新の観測 {age}", "Newest observation {age}"),
    "live.no_data": ("観測値はまだありません", "No observations yet"),
    "banner.away": (
        "データAPIに接続できません。{time} 時点の値を表示しています({age})。自動で再接続します。",
        "The data API can't be reached. Showing values as of {time} ({age}). Reconnecting by itself.",
    ),
    "banner.away_empty": (
        "データAPIに接続できません。接続でき次第、自動で表示します。",
        "The data API can't be reached. This page fills by itself as soon as it can.",
    ),
    "banner.lost": (
        "ダッシュボードとの接続が切れました。{time} 時点の値を表示しています({age})。自動で再接続します。",
        "The connection to the dashboard broke. Showing values as of {time} ({age}). Reconnecting by itself.",
    ),
    "banner.limited": (
        "同じアドレスから開いている地図が多すぎるため、ライブではなく30秒ごとに更新しています。空き次第、自動でライブに戻ります。",
        "Too many maps are open from your address: this one is renewed every 30 seconds, and live again by "
        "itself once there is room.",
    ),
    "banner.past": (
        "{time} の状態を表示しています。ライブではありません。",
        "Showing the state at {time}. This is not live.",
    ),
    "banner.past_failed": (
        "{time} の値を読み込めませんでした。",
        "The values at {time} could not be loaded.",
    ),
    "banner.past_button": ("ライブに戻る", "Back to live"),
    "banner.no_sets": (
        "表示できるエリアがまだありません。登録され次第、自動で表示します。",
        "There are no areas to show yet. They appear by themselves once they exist.",
    ),
    "banner.parameter": ("{key}「{value}」", "{key} “{value}”"),
    "banner.and": ("、", ", "),
    "banner.unknown_parameters": (
        "アドレスの{named}は解釈できないため、既定のものを表示しています。",
        "The address asks for {named}, which is unknown here. Showing the default instead.",
    ),
    "banner.future": (
        "{time} はまだ来ていないため、現在の状態を表示しています。",
        "{time} is yet to come. Showing the present.",
    ),
    "banner.unknown_set": (
        "エリアセット「{id}」はありません。別のものを表示しています。",
        "There is no area set “{id}”. Showing another one.",
    ),
    "banner.unknown_area": (
        "エリア「{id}」はこのエリアセットにありません。",
        "There is no area “{id}” in this area set.",
    ),
    "banner.geometry": (
        "エリアの形状を読み込めませんでした。再試行します。",
        "The shapes of the areas could not be loaded. Trying again.",
    ),
    # counts of things
    "counts.live": ("{n} 台が稼働中", "{n} live"),
    "counts.then": ("この時点で {n} 台が稼働", "{n} reporting then"),
    "counts.silent": ("{n} 台が無応答", "{n} silent"),
    "counts.waiting": ("{n} 台が受信待ち", "{n} waiting"),
    "counts.archive": ("{n} 台は過去の記録のみ", "{n} of the past only"),
    "counts.title": ("機器の状態", "State of the sensors"),
    # ages
    "age.now": ("たった今", "just now"),
    "age.s": ("{n}秒前", "{n} s ago"),
    "age.min": ("{n}分前", "{n} min ago"),
    "age.h": ("{n}時間前", "{n} h ago"),
    "age.d": ("{n}日前", "{n} d ago"),
    # credits
    "credit.tiles": ("地理院タイル", "GSI Tiles"),
    "credit.no_tiles": ("背景地図は読み込めません", "The base map can't be reached"),
    "credit.tiles_left_out": ("背景地図なし", "Without the base map"),
    "credit.areas": ("エリア: {source}", "Areas: {source}"),
}
