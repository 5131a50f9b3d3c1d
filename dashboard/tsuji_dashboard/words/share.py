"""To show and to take away: addresses, pictures, tables, and the map within other sites."""

TEXTS: dict[str, tuple[str, str]] = {
    "share": ("共有・保存", "Share and save"),
    "share.address": ("この表示のアドレス", "Address of this view"),
    "share.address_note": (
        "エリア、指標、時点、縮尺まで同じ表示が開きます。",
        "It opens the same areas, figure, moment and part of the map.",
    ),
    "share.copy": ("コピー", "Copy"),
    "share.copied": ("コピーしました。", "Copied."),
    "share.copy_yourself": (
        "選択した文字列をコピーしてください。",
        "Copy the text that is selected now.",
    ),
    "share.files": ("地図の画像と表", "The map as a picture and as a table"),
    "share.files_note": (
        "画像には凡例、時点、出典が入ります。表はエリアごとの値です。",
        "The picture holds legend, time and credits. The table has a row for each area.",
    ),
    "share.png": ("PNG画像で保存", "Save as PNG"),
    "share.csv": ("CSVで保存", "Save as CSV"),
    "share.saved": ("保存しました。", "Saved."),
    "share.failed": ("画像を作れませんでした。", "The picture could not be made."),
    "embed": ("ほかのサイトに埋め込む", "Embed in another site"),
    "embed.note": (
        "この表示をページに入れるHTMLです。",
        "The HTML that puts this view into a page.",
    ),
    "embed.preview": ("埋め込みの見本を開く", "See what it looks like"),
    "embed.nobody": (
        "このハブは、ほかのサイトへの埋め込みを許可していません。",
        "This hub lets no other site embed its map.",
    ),
    "embed.some": (
        "このハブが埋め込みを許可しているサイト: {sites}",
        "Sites that this hub lets embed its map: {sites}",
    ),
    "embed.title": ("街の地図: {figure}", "Map of the city: {figure}"),
    "embed.open": ("Tsuji で開く", "Open in Tsuji"),
    "embed.more": ("詳しく見る", "See more"),
    "chart.png": ("PNG画像で保存", "Download as PNG"),
    "chart.png_failed": (
        "画像を作れませんでした。もう一度お試しください。",
        "The picture could not be made. Please try again.",
    ),
}
