"""Every word on the screen, in Japanese and English side by side, so that neither is forgotten."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Lang = Literal["ja", "en"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
DEFAULT: Lang = "ja"
_TURNING = re.compile(r"[\u0590-\u08ff\u202a-\u202e\u2066-\u2069]")

_TEXTS: dict[str, tuple[str, str]] = {
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
        "The data API can't be reached. The map fills by itself as soon as it can.",
    ),
    "banner.lost": (
        "ダッシュボードとの接続が切れました。{time} 時点の値を表示しています({age})。自動で再接続します。",
        "The connection to the dashboard broke. Showing values as of {time} ({age}). Reconnecting by itself.",
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
    "counts.silent": ("{n} 台が無応答", "{n} silent"),
    "counts.waiting": ("{n} 台が受信待ち", "{n} waiting"),
    "counts.archive": ("{n} 台は過去の記録のみ", "{n} of the past only"),
    "counts.title": ("機器の状態", "State of the sensors"),
    # controls
    "map.label": ("エリア別の地図", "Map by area"),
    "controls": ("表示の設定", "What to show"),
    "area_set": ("エリア", "Areas"),
    "figure": ("指標", "Figure"),
    "zoom.in": ("拡大", "Zoom in"),
    "zoom.out": ("縮小", "Zoom out"),
    "fit.areas": ("エリアに合わせて表示", "Zoom to the areas"),
    "fit.things": (
        "すべての機器を表示(エリア外を含む)",
        "Show all sensors, also outside the areas",
    ),
    "time.label": ("過去の時点を表示", "Show a past moment"),
    "time.hint": ("日本時間", "Tokyo time"),
    "time.show": ("表示", "Show"),
    # figures
    "figures.people": ("人の流れ", "People"),
    "figures.weather": ("暑さ・天気", "Heat and weather"),
    "figures.environment": ("環境", "Environment"),
    # time travel
    "timeline": ("時間をさかのぼる", "Travel in time"),
    "timeline.play": ("再生", "Play"),
    "timeline.pause": ("一時停止", "Pause"),
    "timeline.slider": ("時点", "Moment"),
    "timeline.now": ("現在", "now"),
    # legend
    "legend": ("凡例", "Legend"),
    "legend.none": ("60分以内の値なし", "No value for 60 min"),
    "legend.no_sensor": ("センサーなし", "No sensor"),
    "legend.estimated": ("推定値", "Estimated"),
    "legend.less": ("低い", "lower"),
    "legend.more": ("高い", "higher"),
    "legend.few": ("少ない", "few"),
    "legend.many": ("多い", "many"),
    "legend.quiet": ("静か", "quiet"),
    "legend.cold": ("寒い", "cold"),
    "legend.hot": ("暑い", "hot"),
    "legend.dry": ("乾燥", "dry"),
    "legend.humid": ("多湿", "humid"),
    "legend.calm": ("弱い", "light"),
    "legend.strong": ("強い", "strong"),
    "legend.darker": ("暗い", "darker"),
    "legend.brighter": ("明るい", "brighter"),
    "legend.loud": ("大きい", "loud"),
    "legend.quieter": ("いつもより少ない", "quieter than usual"),
    "legend.busier": ("いつもより多い", "busier than usual"),
    "legend.pole": ("スマートポール", "Smart pole"),
    "legend.counter": ("人流カウンター", "Footfall counter"),
    "legend.other": ("その他の機器", "Other sensor"),
    "legend.silent": ("無応答の機器", "Silent sensor"),
    "bin.below": ("{limit} 未満", "under {limit}"),
    "bin.from": ("{limit} 以上", "{limit} and more"),
    "rain.none": ("降水なし・ごくわずか", "none to speak of"),
    "rain.10": ("やや強い雨", "fairly heavy"),
    "rain.20": ("強い雨", "heavy"),
    "rain.30": ("激しい雨", "very heavy"),
    "rain.50": ("非常に激しい雨", "extremely heavy"),
    "rain.80": ("猛烈な雨", "violent"),
    "rain.note": (
        "10 mm 以上の区分は気象庁の「雨の強さ」(1時間雨量)による。",
        "From 10 mm on, the Japan Meteorological Agency's classes of one hour's rain.",
    ),
    "wind.note": ("風が吹いてくる方角。", "Where the wind comes from."),
    "pm2_5.note": (
        "1時間値の公的な区分はありません(環境基準の日平均は 35 µg/m³)。",
        "No official classes exist for one hour (the standard for a day's mean is 35 µg/m³).",
    ),
    "density.note": (
        "区分の境界は Fruin の歩行路のサービス水準 A〜F。",
        "The limits are those of Fruin's levels of service A to F for walkways.",
    ),
    "typical.note": (
        "直近1時間の通行人数の、同じ種別の過去の日の同じ時間帯の中央値に対する割合。",
        "People counted in the last hour as % of the median of the same hour on past days of the same kind.",
    ),
    "level.A": ("自由に歩ける", "free"),
    "level.B": ("ほぼ自由に歩ける", "little conflict"),
    "level.C": ("やや制約がある", "restricted"),
    "level.D": ("多くの人に制約がある", "mostly restricted"),
    "level.E": ("すべての人に制約がある", "shuffling"),
    "level.F": ("流れが滞る", "breakdown"),
    "level.note": (
        "Fruin (1971) の歩道のサービス水準。密度、なければ1時間の流率による。",
        "Fruin's levels for walkways (1971): by density, else by the hour's flow.",
    ),
    "wbgt.caution": ("注意", "caution"),
    "wbgt.warning": ("警戒", "warning"),
    "wbgt.severe": ("厳重警戒", "severe warning"),
    "wbgt.danger": ("危険", "danger"),
    "wbgt.note": (
        "気温・湿度・日射・風速からの推定値。区分は「日常生活における熱中症予防指針」による。",
        "Estimated from temperature, humidity, sun and wind. Bands of the Japanese guideline on heat stroke.",
    ),
    "pm2_5.within": ("環境基準以内", "within the standard"),
    "pm2_5.above": ("環境基準を超過", "above the standard"),
    "pm2_5.guide": ("暫定指針値を超過", "above the guide value"),
    "pm2_5_day.note": (
        "前日の日平均。環境基準は 35、注意喚起の暫定指針値は 70 µg/m³。",
        "Mean of the last whole day. Standard: 35, advisory's guide value: 70 µg/m³.",
    ),
    "compass.0": ("北", "north"),
    "compass.1": ("北東", "north-east"),
    "compass.2": ("東", "east"),
    "compass.3": ("南東", "south-east"),
    "compass.4": ("南", "south"),
    "compass.5": ("南西", "south-west"),
    "compass.6": ("西", "west"),
    "compass.7": ("北西", "north-west"),
    "compass.short.0": ("北", "N"),
    "compass.short.1": ("北東", "NE"),
    "compass.short.2": ("東", "E"),
    "compass.short.3": ("南東", "SE"),
    "compass.short.4": ("南", "S"),
    "compass.short.5": ("南西", "SW"),
    "compass.short.6": ("西", "W"),
    "compass.short.7": ("北西", "NW"),
    # tooltips and the table
    "sensors": ("センサー {n} 台", "{n} sensors"),
    "sensors.one": ("センサー 1 台", "1 sensor"),
    "estimated": ("推定({sensors}、{distance} 先)", "Estimated from {sensors} {distance} away"),
    "estimated.inputs": (
        "推定({distance} 先の値を含む)",
        "Estimated, from values {distance} away among others",
    ),
    "estimated.short": ("推定", "estimated"),
    "value.of": ("{age}の値", "value from {age}"),
    "no_value": ("60分以内の値はありません", "No value within the last 60 minutes"),
    "suppressed": ("少数のため非表示", "withheld: too few people"),
    "suppressed.short": ("非表示", "withheld"),
    "left_out": ("少数の計数 {n} 件を含まない", "without {n} small counts"),
    "no_value.past": ("この時点の値はありません", "No value at that moment"),
    "no_value.silent": (
        "{n} 台が無応答(最終受信 {age})",
        "{n} silent, last heard {age}",
    ),
    "no_value.waiting": ("{n} 台からまだ受信していません", "{n} not heard yet"),
    "no_measure": ("この指標を測るセンサーはありません", "No sensor here measures this"),
    "no_value.pending": ("算出中…", "Being computed…"),
    "no_typical": (
        "通常の値がまだありません(同じ種別の過去の日が3日以上必要)",
        "No typical value yet: it needs 3 past days of the same kind",
    ),
    "by_rule": ("判定: {rule}", "By {rule}"),
    "rule.pedestrian_density": ("密度", "density"),
    "rule.pedestrian_flow": ("1時間の流率", "the hour's flow"),
    "rule.percent_of_capacity": ("定員比", "% of capacity"),
    "rule.level_of_service": ("歩行者サービス水準", "level of service"),
    "rule.percent_of_typical": ("通常比", "% of typical"),
    "no_sensor": ("ここにセンサーはありません", "No sensor here"),
    "mesh": ("メッシュ {code}", "Mesh cell {code}"),
    "near": ("{name} 付近", "Near {name}"),
    "table": ("エリア一覧", "List of areas"),
    "table.area": ("エリア", "Area"),
    "table.n": ("台数", "Sensors"),
    "table.blank": (
        "ほか {n} エリアは値なし",
        "{n} more areas without a value",
    ),
    "table.empty": ("値のあるエリアはありません", "No area has a value"),
    "table.aria": (
        "{figure}({unit})をエリア別に並べた表",
        "{figure} ({unit}) by area, as a table",
    ),
    # things
    "kind.smart_pole": ("スマートポール", "Smart pole"),
    "kind.footfall_counter": ("人流カウンター", "Footfall counter"),
    "kind.weather_station": ("気象観測所", "Weather station"),
    "state.live": ("稼働中", "live"),
    "state.silent": ("無応答", "silent"),
    "state.waiting": ("受信待ち", "waiting"),
    "state.unknown": ("この時点の状態は不明", "state at that moment not known"),
    "last_heard": ("最終受信 {age}", "last heard {age}"),
    "never_heard": ("まだ受信していません", "not heard yet"),
    # ages
    "age.now": ("たった今", "just now"),
    "age.s": ("{n}秒前", "{n} s ago"),
    "age.min": ("{n}分前", "{n} min ago"),
    "age.h": ("{n}時間前", "{n} h ago"),
    "age.d": ("{n}日前", "{n} d ago"),
    # detail
    "detail": ("詳細", "Details"),
    "detail.close": ("閉じる", "Close"),
    "detail.current": ("現在の値", "Now"),
    "detail.past": ("{time} の値", "At {time}"),
    "detail.history": ("24時間の推移", "Last 24 hours"),
    "detail.history_past": ("それまでの24時間", "The 24 hours before"),
    "detail.timezone": ("日本時間 (UTC+9)", "Tokyo time (UTC+9)"),
    "detail.things": ("このエリアの機器", "Sensors in this area"),
    "detail.no_things": (
        "このエリアにはセンサーがないため、表示できる値はありません。",
        "No sensor stands in this area, so there are no values to show.",
    ),
    "detail.no_figures": (
        "このエリアの機器から60分以内に届いた値はありません。",
        "The sensors of this area have sent no value within 60 minutes.",
    ),
    "detail.no_figures_past": (
        "この時点の前の60分間に、このエリアの機器から届いた値はありません。",
        "In the 60 minutes before that moment the sensors of this area sent no value.",
    ),
    "derived": ("わかること", "What this means"),
    "derived.missing": ("値のないもの", "Without a value"),
    "derived.as_of": ("{time} 時点", "As of {time}"),
    "source": ("出典: {source}", "Source: {source}"),
    "derived_source.level_of_service": (
        "J. J. Fruin (1971) 歩道のサービス水準",
        "J. J. Fruin (1971), levels of service for walkways",
    ),
    "derived_source.pedestrian_flow": ("J. J. Fruin (1971)", "J. J. Fruin (1971)"),
    "derived_source.percent_of_typical": (
        "カウンター自身の過去の日",
        "the counters' own past days",
    ),
    "derived_source.percent_of_capacity": (
        "区分は国内の避難所の混雑表示(VACAN)による",
        "bands as Japanese shelters show them (VACAN)",
    ),
    "derived_source.wbgt": (
        "小野・登内 (2014)、日常生活における熱中症予防指針",
        "Ono & Tonouchi (2014); Japan's guideline on heat stroke in daily life",
    ),
    "derived_source.heat_index": ("米国気象局 (1990)", "US National Weather Service (1990)"),
    "derived_source.wind_chill": (
        "米国気象局・カナダ環境省 (2001)",
        "US National Weather Service and Environment Canada (2001)",
    ),
    "derived_source.rain_band": (
        "気象庁「雨の強さと降り方」",
        "Japan Meteorological Agency, classes of rain",
    ),
    "derived_source.pm2_5_day_mean": (
        "環境省: 環境基準 35、暫定指針値 70 µg/m³",
        "Ministry of the Environment: standard 35, guide value 70 µg/m³",
    ),
    "derived_source.wind_vector_speed": ("ベクトル平均 (WMO-No. 8)", "vector mean (WMO-No. 8)"),
    "sources": ("出典", "Sources"),
    "residents": ("住民と施設", "Residents and facilities"),
    "population.people": ("人口", "Residents"),
    "population.households": ("世帯数", "Households"),
    "population.density": ("人口密度", "Density"),
    "population.counted": ("住民1人あたり通行人数", "People counted per resident"),
    "population.size": ("面積", "Size"),
    "shelters.capacity": ("、収容 {n}人", ", for {n} people"),
    "shelters.per_resident": ("住民1人あたり収容人数", "Capacity per resident"),
    "count.people": ("{n}人", "{n} people"),
    "count.households": ("{n}世帯", "{n} households"),
    "count.places": ("{n}か所", "{n} places"),
    "detail.methods": ("値の求め方", "How these values are made"),
    "detail.areas": ("所在エリア", "Stands in"),
    "detail.outside": ("登録されたどのエリアにも含まれません", "Outside every area known here"),
    "detail.owner": ("設置者", "Owner"),
    "detail.position": ("位置", "Position"),
    "detail.id": ("ID", "ID"),
    "detail.latest": ("最新の観測値", "Newest observations"),
    "detail.no_latest": ("観測値はまだ届いていません。", "No observation has arrived yet."),
    "odd.stuck": (
        "{hours}時間以上変化していません(故障の疑い)",
        "Unchanged for {hours} h or more: the sensor may be stuck",
    ),
    "odd.step": (
        "直前の値から急に変化しました(異常値の疑い)",
        "A sudden leap: the value may be wrong",
    ),
    "detail.refused": (
        "過去24時間に拒否されたメッセージ: {n}件({reasons})",
        "Rejected messages in the last 24 hours: {n} ({reasons})",
    ),
    "detail.refused_n": ("{n}件", "{n} messages"),
    "detail.refused_and": ("、", ", "),
    "detail.refused_each": ("{reason} {n}件", "{reason}: {n}"),
    # why a message was rejected
    "reason.broken_json": ("JSONとして読めない", "not JSON"),
    "reason.oversize": ("大きすぎる", "too large"),
    "reason.unknown_topic": ("不明なトピック", "unknown topic"),
    "reason.wrong_shape": ("形式の誤り", "wrong form"),
    "reason.bad_time": ("時刻の誤り", "unreadable time"),
    "reason.future_time": ("時刻が未来", "time in the future"),
    "reason.unknown_property": ("不明な観測項目", "unknown property"),
    "reason.not_a_number": ("数値でない", "not a number"),
    "reason.implausible_value": ("あり得ない値", "implausible value"),
    "reason.missing_period": ("計数期間がない", "no counting period"),
    "reason.bad_thing": ("登録内容の誤り", "faulty registration"),
    "reason.unmapped": ("変換の設定がない", "no mapping"),
    "reason.unregistered_thing": ("機器が未登録", "sensor not registered"),
    "reason.undeclared_datastream": ("未登録の観測項目", "property not declared"),
    "reason.not_storable": ("保存できない", "could not be stored"),
    "detail.unknown_area": (
        "エリア「{id}」は見つかりません。",
        "There is no area “{id}”.",
    ),
    "detail.unknown_thing": (
        "機器「{id}」は見つかりません。",
        "There is no sensor “{id}”.",
    ),
    "detail.loading": ("読み込み中…", "Loading…"),
    "detail.away": (
        "データAPIに接続できないため、詳細を読み込めません。接続が戻ると自動で読み込みます。",
        "The data API can't be reached. The details load by themselves once it is back.",
    ),
    # charts
    "chart.footfall": ("通行人数", "People counted"),
    "chart.rainfall": ("降水量", "Rain"),
    "chart.sum": ("合計 {sum}、最大 {high}({time})", "{sum} in total, most {high} ({time})"),
    "chart.range": (
        "最低 {low}({low_time})、最高 {high}({high_time})",
        "lowest {low} ({low_time}), highest {high} ({high_time})",
    ),
    "usual.band": (
        "通常の範囲: 過去{weeks}週の四分位範囲と中央値({kinds})",
        "Usual range: quartiles and median of the last {weeks} weeks ({kinds})",
    ),
    "usual.few": (
        "通常の範囲は{least}日分以上で表示({kinds})",
        "The usual range needs {least} days ({kinds})",
    ),
    "usual.kind": ("{kind} {n}日", "{kind}: {n}"),
    "usual.and": ("、", ", "),
    "usual.weekday": ("平日", "weekdays"),
    "usual.saturday": ("土曜", "Saturdays"),
    "usual.holiday": ("日曜・祝日", "Sundays and holidays"),
    "usual.hover": ("通常 {low}–{high}", "usually {low}–{high}"),
    "chart.suppressed": (
        "少数のため非表示の区間: {n}",
        "Steps withheld because too few people were counted: {n}",
    ),
    "chart.empty": (
        "この24時間のうち集計が済んだ区間に、観測値はありません。",
        "There are no observations in the completed steps of these 24 hours.",
    ),
    "chart.empty_silent": (
        "この24時間のうち集計が済んだ区間に、観測値はありません。機器の最終受信は {time} です。",
        "There are no observations in the completed steps of these 24 hours. "
        "The sensor was last heard at {time}.",
    ),
    "chart.empty_waiting": (
        "この機器からの観測値はまだ届いていません。",
        "No observation of this sensor has arrived yet.",
    ),
    "chart.failed": (
        "この推移は読み込めませんでした。",
        "This chart could not be loaded.",
    ),
    "chart.alt": ("{label}の24時間の推移。{summary}", "{label} over 24 hours. {summary}"),
    # the page of an area
    "area.open": ("このエリアのページを開く", "Open this area's page"),
    "area.map": ("地図で見る", "On the map"),
    "area.print": ("印刷", "Print"),
    "area.as_of": ("{time} 時点(日本時間)", "As of {time} (Tokyo time)"),
    "area.as_of_live": (
        "{time} 時点(日本時間)、1分ごとに更新",
        "As of {time} (Tokyo time), updated every minute",
    ),
    "area.failed": (
        "データAPIに接続できないため、読み込めません。自動で再試行します。",
        "The data API can't be reached. Trying again by itself.",
    ),
    "area.today": ("今日の人の流れと通常の日", "Today against the typical day"),
    "area.day": ("この日の人の流れと通常の日", "That day against the typical day"),
    "area.counts": ("通行人数", "People counted"),
    "area.median": ("通常(中央値)", "Typical (median)"),
    "area.band": ("通常の範囲(四分位)", "Usual range (quartiles)"),
    "area.history": ("人の流れと天気", "People and weather"),
    "area.range": ("期間", "Span"),
    "area.range.24h": ("24時間", "24 h"),
    "area.range.7d": ("7日", "7 days"),
    "area.range.30d": ("30日", "30 days"),
    "area.heat": ("曜日と時刻", "Weekday and hour"),
    "area.heat_note": (
        "過去28日の1時間あたり通行人数の平均(値のある日のみ)。",
        "Mean of people counted an hour in the last 28 days, of the days that have a value.",
    ),
    "area.heat_alt": (
        "曜日と時刻別の平均通行人数。最大は{day}{hour}時台の {high} 人。",
        "Mean of people counted by weekday and hour. Most: {day}, {hour} h, {high} people.",
    ),
    "area.compare": ("ほかのエリアと比べる", "Compare with other areas"),
    "area.compare_hint": ("3つまで選べます", "Up to three"),
    "area.compare_none": (
        "比べるエリアを選んでください。",
        "Choose areas to compare with.",
    ),
    "area.no_counts": (
        "この期間に通行人数の値はありません。",
        "No people were counted in this time.",
    ),
    "area.no_typical": (
        "通常の値がまだありません(同じ種別の過去の日が{n}日以上必要)。",
        "No typical values yet: they need {n} past days of the same kind.",
    ),
    "area.no_series": ("この期間の値はありません。", "No values in this time."),
    "area.table": ("表で見る", "As a table"),
    "area.time": ("時刻", "Time"),
    "area.download": ("CSVで保存", "Download as CSV"),
    "area.download_heat": ("曜日×時刻をCSVで保存", "Weekday and hour as CSV"),
    "area.choose": ("エリアを選んでください。", "Choose an area on the map."),
    "area.alt": ("{name}: {summary}", "{name}: {summary}"),
    "weekday.0": ("月", "Mon"),
    "weekday.1": ("火", "Tue"),
    "weekday.2": ("水", "Wed"),
    "weekday.3": ("木", "Thu"),
    "weekday.4": ("金", "Fri"),
    "weekday.5": ("土", "Sat"),
    "weekday.6": ("日", "Sun"),
    "unit.people / 6 h": ("人/6時間", "people / 6 h"),
    "unit.people / 1 h": ("人/時", "people / h"),
    "unit.mm / 1 h": ("mm/時", "mm / h"),
    "unit.mm / 6 h": ("mm/6時間", "mm / 6 h"),
    # alerts and health
    "side": ("警報とデータの状態", "Alerts and state of the data"),
    "alerts": ("警報", "Alerts"),
    "alerts.n": ("警報 {n}件", "{n} alerts"),
    "alerts.on": ("発生中", "On now"),
    "alerts.on_past": ("この時点で発生中", "On at that moment"),
    "alerts.none": ("発生中の警報はありません", "No alert is on"),
    "alerts.ended": ("終了したもの", "Ended"),
    "alerts.none_ended": ("終了した警報はありません", "No alert has ended"),
    "alerts.since": ("{time} から", "since {time}"),
    "alerts.from_to": ("{start} 〜 {end}", "{start} to {end}"),
    "alerts.value": ("現在 {value}、最大 {peak}", "now {value}, peak {peak}"),
    "alerts.peak": ("最大 {peak}", "peak {peak}"),
    "alerts.silence": ("最長 {peak} 無応答", "silent for up to {peak}"),
    "alerts.clearing": ("解除待ち", "clearing"),
    "alerts.note": (
        "この街の運用者が定めた規則によるもので、公的な警報ではありません。",
        "By rules that this hub's operator chose; no official warning.",
    ),
    "alerts.failed": ("読み込めませんでした。再試行します。", "Could not be loaded. Trying again."),
    "alert.of": ("警報: {label}", "Alert: {label}"),
    "duration.min": ("{n}分", "{n} min"),
    "duration.h": ("{n}時間", "{n} h"),
    "duration.d": ("{n}日", "{n} d"),
    "health": ("データの状態", "State of the data"),
    "health.ok": ("正常", "All is well"),
    "health.degraded": ("一部に問題があります", "Something is wrong"),
    "health.down": ("データベース停止中", "The database is away"),
    "health.away": ("データAPIに接続できません", "The data API can't be reached"),
    "health.stored": ("最後の保存", "Last stored"),
    "health.lag": ("受信から保存まで(95%)", "From arrival to storage (95 %)"),
    "health.seconds": ("{n} 秒", "{n} s"),
    "health.database": ("データベース", "Database"),
    "health.silent_ingest": ("応答なし(最終 {age})", "silent, last seen {age}"),
    "health.reconciliation": ("件数の照合", "Reconciliation"),
    "health.received": ("受信した値", "Values received"),
    "health.stored_n": ("保存", "stored"),
    "health.duplicate": ("重複", "duplicate"),
    "health.corrected": ("訂正", "corrected"),
    "health.rejected_n": ("拒否", "rejected"),
    "health.waiting": ("処理待ち", "waiting"),
    "health.equal": ("一致しています", "They add up"),
    "health.differ": ("{n} 件の差があります", "They differ by {n}"),
    "health.figures": ("指標の新しさ", "Age of each figure"),
    "health.areas": ("エリア数", "Areas"),
    "health.guessed": ("うち推定", "Estimated"),
    "health.newest": ("最新", "Newest"),
    "health.things": ("応答のない機器", "Silent sensors"),
    "health.no_things": ("すべての機器が稼働中です", "All sensors are live"),
    "health.more": ("ほか {n} 台", "{n} more"),
    "health.flagged": ("疑わしい値", "Doubtful values"),
    "health.no_flagged": ("疑わしい値はありません", "No value looks wrong"),
    "health.stuck": ("変化なし({age}から)", "unchanged, since {age}"),
    "health.step": ("急変({age})", "a leap, {age}"),
    "health.rejected": ("拒否されたメッセージ", "Rejected messages"),
    "health.no_rejected": ("拒否されたメッセージはありません", "No message is kept as rejected"),
    "health.nameless": ("(機器名なし)", "(no sensor)"),
    "health.last": ("最終 {age}", "last {age}"),
    "health.evaluator": ("警報の判定", "Evaluation of alerts"),
    "health.evaluator.ok": ("動作中、規則 {n} 件", "runs, {n} rules"),
    "health.evaluator.silent": ("応答なし", "silent"),
    "health.evaluator.none": ("なし", "nobody"),
    "health.kept": ("観測値の保存期間", "Observations are kept"),
    "health.kept_all": ("すべて", "all"),
    "health.kept_since": ("{time} 以降", "since {time}"),
    # layers and search
    "layers": ("オープンデータ", "Open data"),
    "layers.none": ("登録されたデータはありません", "No dataset has been imported"),
    "layers.n": ("{n}か所", "{n} places"),
    "layers.more": ("多いため最初の {n} か所のみ", "Only the first {n}, since there are so many"),
    "layers.failed": ("読み込めませんでした。再試行します。", "Could not be loaded. Trying again."),
    "layers.cluster": ("{kind} {n}か所、拡大する", "{n} × {kind}, zoom in"),
    "place.capacity": ("収容 {n}人", "For {n} people"),
    "place.as_published": ("公表された内容", "As published"),
    "flag.position_contradicts_code": (
        "位置がコードの市区町村の外にあります",
        "It lies outside the municipality that its code says",
    ),
    "flag.position_refused": ("位置が採用されませんでした", "Its position was not believed"),
    "search": ("検索", "Search"),
    "search.hint": ("エリア・機器・施設の名前", "Area, sensor or place by name"),
    "search.none": ("見つかりません", "Nothing found"),
    "search.area": ("エリア", "Area"),
    "search.found": ("{n} 件", "{n} found"),
    # places that open data lists
    "place.evacuation_space": ("指定緊急避難場所", "Emergency evacuation sites"),
    "place.evacuation_center": ("避難所", "Evacuation centres"),
    "place.aed": ("AED設置箇所", "AED"),
    "place.public_wireless_lan": ("公衆無線LANアクセスポイント", "Public wireless LAN"),
    "place.public_toilet": ("公衆トイレ", "Public toilets"),
    "place.public_facility": ("公共施設", "Public facilities"),
    "place.tourism": ("観光施設", "Sights"),
    "place.cultural_property": ("文化財", "Cultural properties"),
    "place.hospital": ("医療機関", "Hospitals and clinics"),
    "place.care_service": ("介護サービス事業所", "Care services"),
    "place.preschool": ("子育て施設", "Nurseries and kindergartens"),
    "place.event": ("イベント", "Events"),
    "place.fire_hydrant": ("消防水利施設", "Fire hydrants"),
    "place.food_business": ("食品等営業許可・届出", "Food businesses"),
    "place.other": ("その他", "Other data"),
    # credits
    "credit.tiles": ("地理院タイル", "GSI Tiles"),
    "credit.areas": ("エリア: {source}", "Areas: {source}"),
    "unit.people/km²": ("人/km²", "people/km²"),
    "unit.per resident and hour": ("人/人・時", "per resident and hour"),
    "unit.per resident": ("人/人", "per resident"),
    "unit.people/min/m": ("人/分/m", "people/min/m"),
    # units that are words
    "unit.people/h": ("人/時", "people/h"),
    "unit.people": ("人", "people"),
    "unit.people / 15 min": ("人/15分", "people / 15 min"),
    "unit.people/m²": ("人/m²", "people/m²"),
    "unit.mm / 15 min": ("mm/15分", "mm / 15 min"),
    "unit.mm/h": ("mm/時", "mm/h"),
}

TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(_TEXTS)
"""Every text by key, as (Japanese, English)."""


def text(key: str, lang: Lang, **fields: str | int) -> str:
    """The text of `key` in `lang` with its {fields} filled in.

    Raises:
        KeyError: for a key that isn't in the table, or a field that the text needs and didn't get.
    """
    return TEXTS[key][LANGUAGES.index(lang)].format(**fields)


def isolated(name: str) -> str:
    """A name within a sentence: one that runs from right to left must not turn the sentence round."""
    return f"\u2068{name}\u2069" if _TURNING.search(name) else name


def words(lang: Lang) -> dict[str, str]:
    """The whole table in one language, for the browser."""
    column = LANGUAGES.index(lang)
    return {key: both[column] for key, both in TEXTS.items()}


def unit_label(label: str, lang: Lang) -> str:
    """The API's unit label in the reader's language; units that aren't words stay as they are."""
    key = f"unit.{label}"
    return text(key, lang) if key in TEXTS else label


def kind_label(kind: str, lang: Lang) -> str:
    """What a kind of thing is called; an unknown kind is shown as it was registered."""
    key = f"kind.{kind}"
    return text(key, lang) if key in TEXTS else kind


def reason_label(reason: str, lang: Lang) -> str:
    """Why a message was rejected; a reason that is not known here is shown as it is."""
    key = f"reason.{reason}"
    return text(key, lang) if key in TEXTS else reason


def choose(asked: str | None, accept_language: str | None) -> Lang:
    """The language to show: the one asked for, else the browser's first that we have, else Japanese."""
    for lang in LANGUAGES:
        if asked == lang:
            return lang
    wanted = []
    for place, part in enumerate((accept_language or "").split(",")):
        tag, _, parameters = part.strip().partition(";")
        name, _, weight = parameters.strip().partition("=")
        try:
            quality = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            quality = 0.0
        wanted.append((-quality, place, tag.strip().lower().split("-")[0]))
    for quality, _, tag in sorted(wanted):
        for lang in LANGUAGES:
            if tag == lang and quality < 0:
                return lang
    return DEFAULT
