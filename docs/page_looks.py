"""What a picture of a page must not show: clipped text, labels over each other, empty charts, foreign words.

Found by the geometry of the page's own elements, so that a script can tell; `make_screenshots.py` asks it of
each picture that it takes, and a browser test of pages of a small city.
"""

import re
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Page

from tsuji_dashboard.bins import BINS
from tsuji_dashboard.shown import SHOWN
from tsuji_dashboard.texts import LANGUAGES, TEXTS, Lang
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES

LATIN = re.compile(r"[A-Za-z][A-Za-z]{2,}")
"""A word of a language in Latin letters; units and codes are shorter."""
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]+")
PRODUCTS = frozenset({"Tsuji", "Leaflet", "UTC", "English", "日本語", "辻"})
"""Names that stay as they are in both languages."""

LOOK = """() => {
  const shownText = [];
  const clipped = [];
  const style = (element) => getComputedStyle(element);
  const hides = (element) => ["hidden", "clip"].includes(style(element).overflowX) || ["hidden", "clip"].includes(style(element).overflowY);
  const scrolls = (element) => ["auto", "scroll"].includes(style(element).overflowX) || ["auto", "scroll"].includes(style(element).overflowY);
  const unseen = (element) => element.closest(".hidden, [hidden], .leaflet-tooltip-pane, script, style, noscript, .skip")
    || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const common = (one, other) => {
    const [left, top] = [Math.max(one.left, other.left), Math.max(one.top, other.top)];
    return { left, top, width: Math.min(one.right, other.right) - left, height: Math.min(one.bottom, other.bottom) - top };
  };
  // Lines of text are taller than their letters.
  const meet = (one, other) => {
    const { width, height } = common(one, other);
    return width > 2 && height > Math.min(one.height, other.height) * 0.45;
  };
  const opaque = (element) => {
    const { backgroundColor, backgroundImage } = style(element);
    const alpha = /rgba\\([^)]*, ([\\d.]+)\\)/.exec(backgroundColor);
    return backgroundImage !== "none" || !alpha || Number(alpha[1]) > 0.5;
  };
  // Beneath a card: something that hides what is below it, and neither holds it nor is held.
  const covered = (element, { left, top, width, height }) => {
    const [x, y] = [left + width / 2, top + height / 2];
    for (const above of document.elementsFromPoint(Math.min(Math.max(x, 0), innerWidth - 1), y)) {
      if (above.contains(element) || element.contains(above)) return false;
      if (opaque(above)) return true;
    }
    return true;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const said = node.textContent.trim();
    const element = node.parentElement;
    if (!said || !element || unseen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    const inChart = element.closest(".js-plotly-plot");
    // What is scrolled away, or lies beneath a card, is not in the picture.
    let out = box.bottom < 0 || box.top > innerHeight;
    let cut = null;
    let within = null;
    for (let parent = element; parent && parent !== document.body && !inChart; parent = parent.parentElement) {
      const frame = parent.getBoundingClientRect();
      if (hides(parent) && (frame.width <= 2 || frame.height <= 2)) { out = true; break; } // for screen readers
      const beyond = box.right > frame.right + 1.5 || box.left < frame.left - 1.5 || box.bottom > frame.bottom + 3 || box.top < frame.top - 3;
      if (beyond && (scrolls(parent) || hides(parent))) within = within || frame;
      if (beyond && scrolls(parent)) {
        out = box.top > frame.bottom || box.bottom < frame.top || box.left > frame.right || box.right < frame.left;
        break;
      }
      if (beyond && hides(parent)) {
        // A name that is cut on purpose says the whole to whoever points at it.
        if (!element.closest("[title]") && !parent.closest("[title]")) cut = parent;
        break;
      }
    }
    if (out) continue;
    if (!cut && !inChart && !element.closest(".leaflet-container") && (box.right > innerWidth + 1 || box.left < -1)) cut = document.body;
    if (!inChart && covered(element, cut ? common(box, cut.getBoundingClientRect()) : box)) continue;
    if (cut) clipped.push(`${said} (in ${cut.id || cut.className || cut.tagName})`);
    // Lines that a card or a cut name leaves out are not in the picture.
    const inside = (line) => !within || ((line.top + line.bottom) / 2 < within.bottom && (line.top + line.bottom) / 2 > within.top);
    const lines = [...range.getClientRects()].filter((line) => line.width > 1 && inside(line))
      .map(({ left, right, top, bottom, height }) => ({ top, bottom, height, left: Math.max(left, within?.left ?? left), right: Math.min(right, within?.right ?? right) }));
    shownText.push({ said, lines, chart: inChart, element, lang: element.closest("[lang]")?.lang });
  }
  const over = [];
  shownText.forEach((one, i) => {
    for (const other of shownText.slice(i + 1)) {
      if (one.chart !== other.chart || one.element === other.element) continue;
      if (one.element.contains(other.element) || other.element.contains(one.element)) continue;
      if (one.lines.some((mine) => other.lines.some((its) => meet(mine, its)))) over.push(`${one.said} / ${other.said}`);
    }
  });
  const empty = [...document.querySelectorAll(".js-plotly-plot")]
    .filter((graph) => graph.checkVisibility() && !(graph._fullData || []).some((it) => [...(it.z || [it.y || []])].flat().some((value) => value !== null && value !== undefined)))
    .map((graph) => graph.closest("[data-chart]")?.dataset.chart || "a chart");
  const silent = [...document.querySelectorAll("section, figure.chart")]
    .filter((it) => it.checkVisibility() && it.querySelector("h2, h3, figcaption"))
    .filter((it) => it.innerText.trim() === (it.querySelector("h2, h3, figcaption")).innerText.trim() && !it.querySelector("svg, table, ul, dl, .tile"))
    .map((it) => it.innerText.trim());
  const named = [...document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")]
    .filter((it) => it.checkVisibility() && !it.closest(".leaflet-container"))
    .flatMap((it) => ["aria-label", "title", "placeholder", "alt"].map((name) => ({ said: it.getAttribute(name), lang: it.closest("[lang]").lang })))
    .filter(({ said }) => said);
  const plain = shownText.map(({ said, lang }) => ({ said, lang }));
  const wide = document.documentElement.scrollWidth > innerWidth ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [];
  return { clipped: [...clipped, ...wide], over, empty, silent, texts: [...plain, ...named] };
}"""  # noqa: E501


def complaints(page: Page, lang: Lang, names: Iterable[str] = ()) -> list[str]:
    """What is wrong with the page as it is on the screen now.

    Args:
        page: the page, in its final state.
        lang: the language that it should be in.
        names: of things, areas and datasets: words that come with the data, as they are.
    """
    found: dict[str, Any] = page.evaluate(LOOK)
    told = [f"clipped: {it}" for it in found["clipped"]]
    told += [f"over each other: {it}" for it in found["over"]]
    told += [f"a chart without data or reason: {it}" for it in (*found["empty"], *found["silent"])]
    foreign = LATIN if lang == "ja" else JAPANESE
    known = words_of(lang, foreign) | {word for name in names for word in foreign.findall(name)}
    for one in found["texts"]:
        if one["lang"] == lang:
            strange = [it for it in foreign.findall(one["said"]) if it not in known]
            told += [f"not in {lang}: {word!r} in {one['said']!r}" for word in strange]
    return list(dict.fromkeys(told))


def words_of(lang: Lang, foreign: re.Pattern[str]) -> set[str]:
    """Words of the other script that belong to our own texts in this language: units, standards."""
    column = LANGUAGES.index(lang)
    said = [both[column] for both in TEXTS.values()]
    for known in (*FIGURES.values(), *DERIVED.values(), *OBSERVED_PROPERTIES.values()):
        said += [known.label_ja if lang == "ja" else known.label, known.unit_label]
        method = getattr(known, "method_ja" if lang == "ja" else "method", "")
        said += [method, getattr(known, "source", "")]
    said += [name for figure in SHOWN for name in BINS[figure].labels(lang)]
    return {word for it in said for word in foreign.findall(it)} | PRODUCTS
