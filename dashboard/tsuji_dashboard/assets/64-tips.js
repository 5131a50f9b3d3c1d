// What stands in a tooltip and what a screen reader is told of a shape.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;

  function amount(figure, value) {
    return make("div", { class: "tip-value" }, tsuji.format.value(figure, value), make("small", { class: figure.unit === "°" ? "tight" : null }, figure.unit));
  }

  function aged(time) {
    return tsuji.state.get().at || !time ? null : tsuji.t("value.of", { age: tsuji.format.since(time) });
  }

  const rule = ({ rule: by }) => (by ? tsuji.t("by_rule", { rule: tsuji.page.words[`rule.${by}`] || by }) : null);

  /** The range that is usual for the hour, where that is known. */
  function usual({ typical }) {
    if (!typical) return "";
    const [low, high] = [typical.q1, typical.q3].map((value) => tsuji.format.number(value, 0));
    return tsuji.t("usual.hover", { low, high });
  }

  /** Whether that is many or few for the hour. */
  function compared(code) {
    const it = tsuji.usual(code);
    return it && make("div", { class: `tip-band ${it.side}` }, it.text);
  }

  function line(...parts) {
    return parts.filter(Boolean).join(" · ");
  }

  const warnings = (subject) =>
    tsuji.alerts.of(subject).map((it) => make("div", { class: "tip-alert" }, tsuji.t("alert.of", { label: tsuji.alerts.label(it) })));

  function area(layer) {
    const { properties } = layer.feature;
    const figure = tsuji.figure();
    const found = tsuji.paint.reading(properties.code);
    const code = tsuji.format.areaCode(properties);
    const head = document.createDocumentFragment();
    const name = tsuji.format.areaName(properties);
    head.append(make("strong", { title: name }, name));
    if (code) head.append(make("div", { class: "tip-foot" }, code));
    head.append(...warnings({ area: properties.code }));
    if (!found) {
      return make("div", {}, head, make("div", { class: "tip-label" }, figure.label), make("div", { class: "tip-why" }, tsuji.why(properties)));
    }
    return make(
      "div",
      {},
      head,
      make("div", { class: "tip-label" }, figure.label),
      amount(figure, found.value),
      found.band ? make("div", { class: "tip-band" }, worded(figure, found)) : null,
      found.left_out ? make("div", { class: "tip-foot" }, tsuji.t("left_out", { n: tsuji.format.number(found.left_out, 0) })) : null,
      compared(properties.code),
      figure.derived ? null : make("div", { class: "tip-foot" }, usual(found)),
      make("div", { class: "tip-foot" }, line(tsuji.format.madeOf(found), rule(found), aged(figure.derived ? tsuji.data.derivedAt : found.time))),
    );
  }

  /** The band as the legend words it, where that says the same and more. */
  function worded(figure, { band, value }) {
    const word = figure.words.length ? figure.words[tsuji.paint.bin(figure, value)] : "";
    return word && word.startsWith(band) ? word : band;
  }

  function areaLine(properties) {
    const figure = tsuji.figure();
    const found = tsuji.paint.reading(properties.code);
    const said = found ? `${tsuji.format.value(figure, found.value)} ${figure.unit}` : tsuji.why(properties);
    const guessed = found && found.estimated ? ` (${tsuji.t("estimated.short")})` : "";
    const compared = found && tsuji.usual(properties.code);
    return `${tsuji.format.areaName(properties)}: ${figure.label} ${said}${guessed}${compared ? ` · ${compared.text}` : ""}`;
  }

  function standing(id) {
    const known = tsuji.data.things.get(id);
    if (!known) return tsuji.t(tsuji.data.waits() ? "detail.loading" : "state.unknown");
    const heard = known.last_observed_at
      ? tsuji.t("last_heard", { age: tsuji.format.since(known.last_observed_at) })
      : tsuji.t("never_heard");
    return line(tsuji.t(`state.${known.state}`), tsuji.state.get().at ? null : heard);
  }

  function thing(layer) {
    const { properties } = layer.feature;
    const figure = tsuji.figure();
    const known = tsuji.data.things.get(properties.id);
    const rows = [];
    for (const property of figure.properties) {
      const latest = known && known.latest && known.latest[property];
      const what = tsuji.page.properties[property];
      if (!latest || !what) continue;
      rows.push(make("div", { class: "tip-label" }, what.label));
      rows.push(
        latest.suppressed
          ? make("div", { class: "tip-why" }, tsuji.t("suppressed"))
          : amount({ ...what, turns: figure.turns }, latest.result),
      );
    }
    return make(
      "div",
      {},
      make("strong", { title: tsuji.format.thingName(properties) }, tsuji.format.thingName(properties)),
      make("div", { class: "tip-label" }, tsuji.format.kind(properties.kind)),
      ...warnings({ thing: properties.id }),
      ...rows,
      make("div", { class: "tip-foot" }, standing(properties.id)),
    );
  }

  function thingLine(feature) {
    const { properties } = feature;
    const known = tsuji.data.things.get(properties.id);
    const state = tsuji.t(known ? `state.${known.state}` : "state.unknown");
    return line(tsuji.format.thingName(properties), tsuji.format.kind(properties.kind), state);
  }

  tsuji.tips = { area, areaLine, thing, thingLine, standing };
})();
