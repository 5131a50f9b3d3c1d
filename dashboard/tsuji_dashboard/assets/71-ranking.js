// The same figure as a table: for those who can't see or point at the map, and for comparing.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const PAUSE_MS = 800;
  const AT_FIRST = 60;
  const POINTED_MS = 20000; // a pointer that rests for longer is nobody's

  const rows = new Map(); // code -> parts of the row
  let body = null;
  let caption = null;
  let blank = null;
  let details = null;
  let head = null;
  let timer = null;
  let pressed = false; // whether a finger or a button is down on it
  let pointed = 0; // when a pointer moved over it
  let arranged = null; // figure by which the rows are in order
  let again = null; // until those that were held are put in order
  let of = null; // area set that the rows are of

  function build() {
    const home = tsuji.byId("ranking");
    if (!home) return;
    rows.clear();
    caption = make("caption", { class: "hidden" });
    head = make("th", { scope: "col", class: "num" });
    body = make("tbody", {
      on: {
        pointerdown: ({ button }) => (pressed = button === 0),
        pointermove: () => (pointed = Date.now()),
        pointerleave() {
          pointed = 0;
          soon();
        },
        focusout: soon,
      },
    });
    blank = make("p", { class: "note" });
    const table = make(
      "table",
      {},
      caption,
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          make("th", { scope: "col" }, tsuji.t("table.area")),
          head,
          make("th", { scope: "col", class: "num" }, tsuji.t("table.n")),
        ),
      ),
      body,
    );
    const open = window.innerWidth > 860;
    details = make(
      "details",
      { open, on: { toggle: draw } },
      make("summary", {}, tsuji.t("table")),
      make("div", { class: "rows" }, table),
      blank,
    );
    home.replaceChildren(details);
    draw();
  }

  function row(code) {
    if (rows.has(code)) return rows.get(code);
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    const name = make("span", { class: "row-name" });
    const trend = make("span", { class: "trend" });
    const button = make("button", { type: "button", on: { click: () => tsuji.select({ area: code }) } }, swatch, name, trend);
    const value = make("td", { class: "num" });
    const n = make("td", { class: "num" });
    const element = make("tr", { "data-code": code }, make("th", { scope: "row" }, button), value, n);
    const parts = { element, swatch, name, trend, value, n, button };
    rows.set(code, parts);
    return parts;
  }

  function draw() {
    clearTimeout(timer);
    timer = null;
    if (!details || !details.open) return;
    const figure = tsuji.figure();
    const known = [];
    for (const [code, properties] of tsuji.catalogue.area) {
      const found = tsuji.paint.reading(code) || tsuji.paint.suppressed(code);
      if (found) known.push({ code, properties, found });
    }
    const rank = ({ found }) => (found.suppressed ? -Infinity : found.value); // withheld ones come last
    known.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)) || a.code.localeCompare(b.code));
    // The first ones at once; thousands of rows would keep the map itself waiting.
    const few = !rows.size && known.length > AT_FIRST;
    const order = [];
    for (const { code, properties, found } of few ? known.slice(0, AT_FIRST) : known) {
      const parts = row(code);
      const near = tsuji.catalogue.near.get(code);
      const name = near ? tsuji.format.thingName(near) : tsuji.format.areaName(properties);
      write(parts.name, name);
      parts.name.title = name;
      parts.trend.hidden = figure.id !== "footfall";
      mark(parts.trend, found.suppressed ? null : tsuji.usual(code));
      const amount = found.suppressed ? tsuji.t("suppressed.short") : tsuji.format.value(figure, found.value);
      write(parts.value, `${found.estimated ? "≈ " : ""}${amount}`);
      parts.value.title = found.suppressed ? tsuji.t("suppressed") : found.estimated ? tsuji.format.madeOf(found) : "";
      write(parts.n, found.n ? tsuji.format.number(found.n, 0) : "");
      parts.swatch.style.background = found.suppressed ? "transparent" : tsuji.paint.colour(figure, found.value);
      parts.element.classList.toggle("chosen", tsuji.state.get().area === code);
      order.push(parts.element);
    }
    arrange(order);
    if (few) timer = setTimeout(draw, PAUSE_MS);
    details.classList.toggle("of-areas", Boolean(figure.derived));
    write(head, figure.unit);
    write(caption, tsuji.t("table.aria", { figure: figure.label, unit: figure.unit }));
    const rest = tsuji.catalogue.area.size - known.length;
    write(blank, known.length ? (rest ? tsuji.t("table.blank", { n: tsuji.format.number(rest, 0) }) : "") : nothing());
  }

  /** An arrow where it is busier or quieter than usual, with the words for it. */
  function mark(trend, usual) {
    const away = usual && usual.side ? usual : null;
    if (trend.title === (away ? away.text : "")) return;
    trend.title = away ? away.text : "";
    trend.className = away ? `trend ${away.side}` : "trend";
    trend.replaceChildren(...(away ? [make("span", { "aria-hidden": "true" }, away.side === "busier" ? "▲" : "▼"), make("span", { class: "hidden" }, away.text)] : []));
  }

  /** That no area has a value, and why the first one with sensors has none. */
  function nothing() {
    if (tsuji.data.waits()) return tsuji.t("detail.loading");
    if (tsuji.data.asOf === null && ["away", "lost"].includes(tsuji.live.status)) return tsuji.t("health.away");
    if (tsuji.figure().derived && !tsuji.data.derivedAt && tsuji.live.status !== "past_failed") return tsuji.t("no_value.pending");
    const first = [...tsuji.catalogue.area.values()].find(({ things }) => things);
    return [tsuji.t("table.empty"), first && tsuji.why(first)].filter(Boolean).join(": ");
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  const isHeld = () => Boolean(body.querySelector(":focus-visible")) || pressed || Date.now() - pointed < POINTED_MS;

  /** Put the rows in order, but never pull one away from under somebody's focus, pointer or finger. */
  function arrange(order) {
    const wanted = new Set(order);
    const now = [...body.children].filter((element) => wanted.has(element));
    const sameFigure = arranged === tsuji.figure().id;
    arranged = tsuji.figure().id;
    clearTimeout(again);
    if (sameFigure && isHeld()) {
      again = setTimeout(draw, POINTED_MS);
      const there = new Set(now);
      order = [...now, ...order.filter((element) => !there.has(element))];
    }
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    for (const element of [...body.children]) if (!wanted.has(element)) element.remove();
    // What is in its place is not touched: a click begins and ends on one element.
    let next = body.firstElementChild;
    for (const element of order) {
      if (element === next) next = next.nextElementSibling;
      else body.insertBefore(element, next);
    }
    if (focused && focused.isConnected) focused.focus({ preventScroll: true });
  }

  const soon = () => {
    if (body && !body.children.length) draw();
    else if (!timer) timer = setTimeout(draw, PAUSE_MS);
  };

  /** A tap's click comes a little later than its end. */
  const released = () => setTimeout(() => (pressed = false), 300);

  for (const event of ["pointerup", "pointercancel"]) document.addEventListener(event, released, true);
  tsuji.on("boot", build);
  tsuji.on("values", soon);
  tsuji.on("things", soon);
  tsuji.on("connection", soon);
  tsuji.on("paper", draw);
  tsuji.on("shapes", (shapes) => {
    if (!shapes) return;
    const { area, shapesOf } = tsuji.catalogue;
    for (const code of [...rows.keys()]) if (of !== shapesOf || !area.has(code)) rows.delete(code);
    of = shapesOf;
    draw();
  });
  tsuji.on("state", (changed) => {
    if (["figure", "theme", "area"].some((key) => changed.has(key))) draw();
  });
})();
