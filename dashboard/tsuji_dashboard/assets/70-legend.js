// The legend: colours with their limits in units and words, and what the marks mean.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;

  function draw() {
    const home = tsuji.byId("legend");
    if (!home) return;
    const figure = tsuji.figure();
    const colours = figure.colours[tsuji.state.get().theme];
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
        ...(figure.estimates ? [key("swatch guessed", tsuji.t("legend.estimated"), pale(colours))] : []),
        key("mark smart_pole live", tsuji.t("legend.pole")),
        key("mark footfall_counter live", tsuji.t("legend.counter")),
        key("mark other live", tsuji.t("legend.other")),
        key("mark footfall_counter silent", tsuji.t("legend.silent")),
      ),
    );
    if (figure.note) home.append(make("p", { class: "note" }, figure.note));
  }

  function key(look, label, background) {
    const mark = make("span", { class: look, "aria-hidden": "true" });
    if (background) mark.style.background = background;
    return make("li", {}, mark, label);
  }

  /** The scale's own colours, as pale as the areas whose value is estimated. */
  function pale(colours) {
    const some = [0.2, 0.5, 0.8].map((part) => colours[Math.floor(part * colours.length)]);
    const stops = some.map((it) => `color-mix(in srgb, ${it} 42%, transparent)`);
    return `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  tsuji.on("boot", draw);
  tsuji.on("state", (changed) => (changed.has("figure") || changed.has("theme")) && draw());
})();
