// The same figure as a table: for those who can't see or point at the map, and for comparing.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const PAUSE_MS = 800;

  const rows = new Map(); // code -> parts of the row
  let body = null;
  let caption = null;
  let blank = null;
  let details = null;
  let head = null;
  let timer = null;

  function build() {
    const home = tsuji.byId("ranking");
    if (!home) return;
    rows.clear();
    caption = make("caption", { class: "hidden" });
    head = make("th", { scope: "col", class: "num" });
    body = make("tbody");
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
    const button = make("button", { type: "button", on: { click: () => tsuji.select({ area: code }) } }, swatch, name);
    const value = make("td", { class: "num" });
    const n = make("td", { class: "num" });
    const element = make("tr", { "data-code": code }, make("th", { scope: "row" }, button), value, n);
    const parts = { element, swatch, name, value, n, button };
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
    const order = [];
    for (const { code, properties, found } of known) {
      const parts = row(code);
      const near = tsuji.catalogue.near.get(code);
      const name = near ? tsuji.format.thingName(near) : tsuji.format.areaName(properties);
      write(parts.name, name);
      parts.name.title = name;
      const amount = found.suppressed ? tsuji.t("suppressed.short") : tsuji.format.value(figure, found.value);
      write(parts.value, `${found.estimated ? "≈ " : ""}${amount}`);
      parts.value.title = found.suppressed ? tsuji.t("suppressed") : found.estimated ? tsuji.format.madeOf(found) : "";
      write(parts.n, found.n ? tsuji.format.number(found.n, 0) : "");
      parts.swatch.style.background = found.suppressed ? "transparent" : tsuji.paint.colour(figure, found.value);
      parts.element.classList.toggle("chosen", tsuji.state.get().area === code);
      order.push(parts.element);
    }
    arrange(order);
    details.classList.toggle("derived", Boolean(figure.derived));
    write(head, figure.unit);
    write(caption, tsuji.t("table.aria", { figure: figure.label, unit: figure.unit }));
    const rest = tsuji.catalogue.area.size - known.length;
    write(blank, known.length ? (rest ? tsuji.t("table.blank", { n: tsuji.format.number(rest, 0) }) : "") : tsuji.t("table.empty"));
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** Put the rows in order, but never pull the focus away from someone who is reading. */
  function arrange(order) {
    const now = Array.from(body.children);
    const same = now.length === order.length && now.every((element, i) => element === order[i]);
    if (same) return;
    const focused = body.contains(document.activeElement);
    if (focused && now.length === order.length) return;
    const button = focused ? document.activeElement : null;
    body.replaceChildren(...order);
    if (button && body.contains(button)) button.focus({ preventScroll: true });
  }

  const soon = () => {
    if (!timer) timer = setTimeout(draw, PAUSE_MS);
  };

  tsuji.on("boot", build);
  tsuji.on("values", soon);
  tsuji.on("things", soon);
  tsuji.on("shapes", (shapes) => {
    if (!shapes) return;
    rows.clear();
    draw();
  });
  tsuji.on("state", (changed) => {
    if (["figure", "theme", "area"].some((key) => changed.has(key))) draw();
  });
})();
