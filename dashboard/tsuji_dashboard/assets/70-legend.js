// The legend: colours with their limits in units and words, and what the marks mean.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;

  function draw() {
    const home = tsuji.byId("legend");
    if (!home) return;
    const figure = tsuji.figure();
    const colours = figure.colours[tsuji.paint.theme()];
    const last = figure.labels.length - 1;
    const ends = { 0: figure.low, [last]: figure.high };
    const rows = figure.labels.map((label, i) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = colours[i];
      const word = figure.words[i] || (figure.words.length ? "" : ends[i] || "");
      return make("li", {}, swatch, make("span", { class: "limits" }, label), make("span", { class: "word" }, word));
    });
    const scale = make("ol", { class: figure.words.length ? "scale worded" : "scale" }, ...(figure.turns ? rows : rows.reverse()));
    home.replaceChildren(
      make("div", { class: "legend-title" }, make("span", {}, figure.label), make("span", { class: "unit" }, figure.unit)),
      scale,
      make(
        "ul",
        { class: "keys" },
        key("swatch hatch", tsuji.t("legend.none")),
        key("swatch none", tsuji.t("legend.no_sensor")),
        ...(tsuji.alerts.any() ? [key("swatch alerted", tsuji.t("legend.alert"))] : []),
        ...(figure.estimates ? [key("swatch guessed", tsuji.t("legend.estimated"), pale(colours))] : []),
        key("mark smart_pole live", tsuji.t("legend.pole")),
        key("mark footfall_counter live", tsuji.t("legend.counter")),
        key("mark other live", tsuji.t("legend.other")),
        key("mark footfall_counter silent", tsuji.t("legend.silent")),
        ...(figure.id === "footfall" ? [arrows()] : []),
      ),
    );
    if (figure.note) home.append(make("p", { class: "note" }, figure.note));
  }

  function key(look, label, background) {
    const mark = make("span", { class: look, "aria-hidden": "true" });
    if (background) mark.style.background = background;
    return make("li", {}, mark, label);
  }

  /** What the arrows in the list stand for. */
  function arrows() {
    const one = (side, sign) =>
      make("span", {}, make("span", { class: `trend ${side}`, "aria-hidden": "true" }, sign), tsuji.t(`usual_band.${side}_than_usual`));
    return make("li", { class: "arrows" }, one("busier", "▲"), one("quieter", "▼"));
  }

  /** The scale's own colours, as pale as the areas whose value is estimated. */
  function pale(colours) {
    const some = [0.2, 0.5, 0.8].map((part) => colours[Math.floor(part * colours.length)]);
    const stops = some.map((it) => `color-mix(in srgb, ${it} ${Math.round(tsuji.paint.pale() * 88)}%, transparent)`);
    return `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  tsuji.on("boot", draw);
  tsuji.on("alerts", draw);
  tsuji.on("paper", draw);
  tsuji.on("state", (changed) => (changed.has("figure") || changed.has("theme")) && draw());
})();
