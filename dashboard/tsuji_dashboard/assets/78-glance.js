// The city at a glance: whether it is busier than usual, how warm and how wet, and where most so.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const PAUSE_MS = 800;

  const chips = new Map(); // subject -> parts of its chip
  let home = null;
  let timer = null;

  /** All values of a figure, the highest first. An estimate is no extreme, but WBGT, made of four, is seldom measured whole. */
  function values(id) {
    const figure = tsuji.figure(id);
    const known = figure.derived ? tsuji.data.derived : tsuji.data.areas;
    const found = [];
    for (const [code, properties] of tsuji.catalogue.area) {
      const it = (known.get(code) || {})[id];
      if (it && typeof it.value === "number" && (figure.derived || !it.estimated)) found.push({ properties, ...it });
    }
    return found.sort((a, b) => b.value - a.value);
  }

  function named({ properties }) {
    const near = tsuji.catalogue.near.get(properties.code);
    return tsuji.format.isolated(near ? tsuji.format.thingName(near) : tsuji.format.areaName(properties));
  }

  const amount = (figure, value) => [tsuji.format.value(figure, value), figure.unit].join(figure.unit === "%" ? "" : " ");

  function people() {
    const compared = values("percent_of_typical");
    const label = tsuji.t("glance.people");
    if (!compared.length) {
      const [most] = values("footfall");
      return most && { figure: "footfall", label: tsuji.t("glance.most"), value: amount(tsuji.figure("footfall"), most.value), where: named(most) };
    }
    const banded = (key) => compared.filter(({ band }) => band === tsuji.t(`usual_band.${key}`));
    const [busier, quieter] = [banded("busier_than_usual"), banded("quieter_than_usual")];
    const counted = (its) => tsuji.format.number(its.length, 0);
    let value = tsuji.t("glance.as_usual");
    if (busier.length && quieter.length) value = tsuji.t(busier.length === 1 ? "glance.both.one" : "glance.both", { busier: counted(busier), quieter: counted(quieter) });
    else if (busier.length || quieter.length) {
      const [its, band] = busier.length ? [busier, "busier_than_usual"] : [quieter, "quieter_than_usual"];
      value = tsuji.t(its.length === 1 ? "glance.areas.one" : "glance.areas", { band: tsuji.t(`usual_band.${band}`), n: counted(its) });
    }
    // Where most so: of those that are more.
    const most = quieter.length > busier.length ? quieter.at(-1) : busier[0];
    const where = most ? `${named(most)} ${amount(tsuji.figure("percent_of_typical"), most.value)}` : "";
    return { figure: "percent_of_typical", label, worded: true, value, where };
  }

  /** Heat stress where it is a matter of concern, else the span of temperatures. */
  function heat() {
    const wbgt = tsuji.figure("wbgt");
    const [worst] = values("wbgt");
    if (worst && worst.value >= wbgt.edges[0]) {
      return { figure: "wbgt", label: wbgt.label, value: `${worst.estimated ? "≈ " : ""}${amount(wbgt, worst.value)} ${worst.band}`, where: named(worst) };
    }
    const temperature = tsuji.figure("air_temperature");
    const found = values("air_temperature");
    if (!found.length) return null;
    const [high, low] = [found[0], found.at(-1)].map(({ value }) => tsuji.format.value(temperature, value));
    const where = tsuji.t("glance.warmest", { name: named(found[0]) });
    return { figure: "air_temperature", label: temperature.label, value: `${low === high ? high : `${low}–${high}`} ${temperature.unit}`, where: low === high ? "" : where };
  }

  function rain() {
    const figure = tsuji.figure("rainfall");
    const [most] = values("rainfall");
    if (!most) return null;
    const label = tsuji.t("glance.rain");
    if (most.value < 0.05) return { figure: "rainfall", label, value: tsuji.t("glance.dry"), where: "" };
    return { figure: "rainfall", label, value: amount(figure, most.value), where: named(most) };
  }

  const SUBJECTS = { people, heat, rain };

  function build() {
    home = tsuji.byId("glance");
    if (!home) return;
    home.replaceChildren();
    for (const subject of Object.keys(SUBJECTS)) {
      const parts = { figure: null };
      for (const part of ["label", "value", "where"]) parts[part] = make("span", { class: `glance-${part}` });
      const choose = () => window.dash_clientside.set_props("figure", { value: parts.figure });
      parts.chip = make("button", { type: "button", class: "card", hidden: true, "data-about": subject, on: { click: choose } }, parts.label, " ", parts.value, " ", parts.where);
      chips.set(subject, parts);
      home.append(parts.chip);
    }
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function draw() {
    clearTimeout(timer);
    timer = null;
    for (const [subject, parts] of chips) {
      const told = tsuji.data.asOf === null ? null : SUBJECTS[subject]();
      parts.chip.hidden = !told;
      if (!told) continue;
      parts.figure = told.figure;
      for (const part of ["label", "value", "where"]) write(parts[part], told[part]);
      const whole = [told.label, told.value, told.where].filter(Boolean).join(" · ");
      if (parts.chip.title !== whole) parts.chip.title = whole;
      parts.chip.classList.toggle("worded", Boolean(told.worded));
      parts.chip.setAttribute("aria-pressed", String(told.figure === tsuji.state.get().figure));
    }
  }

  const soon = () => {
    if (home && !timer) timer = setTimeout(draw, PAUSE_MS);
  };

  tsuji.on("boot", build);
  for (const event of ["values", "things", "shapes"]) tsuji.on(event, soon);
  tsuji.on("state", (changed) => home && changed.has("figure") && draw());
})();
