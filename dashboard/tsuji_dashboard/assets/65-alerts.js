// Alerts: which are on, and which were; told by the live stream, asked for anew by whoever hears of one.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const AGAIN_MS = 60000;
  const SPREAD_MS = 1500; // not all pages at once

  let known = null; // {on, ended}, or null before they are known
  let failed = false;
  let timer = null;
  let mine = 0;

  const alerts = {
    known: () => known,
    /** Whether any is on about what the map shows. */
    any: () => Boolean(known) && known.on.some((it) => it.thing || (it.area && it.area.area_set === tsuji.state.get().set)),
    label: ({ label }) => label[tsuji.page.lang],
    /** The alerts that are on about an area of the set on the map, or about a thing. */
    of({ area, thing }) {
      if (!known) return [];
      const { set } = tsuji.state.get();
      return known.on.filter((it) => (thing ? it.thing === thing : it.area && it.area.area_set === set && it.area.code === area));
    },
  };

  async function load() {
    clearTimeout(timer);
    const asked = ++mine;
    const { at } = tsuji.state.get();
    try {
      const answer = await fetch(`/hub/alerts${at ? `?at=${encodeURIComponent(at)}` : ""}`);
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (asked !== mine) return;
      const same = JSON.stringify(found) === JSON.stringify(known);
      known = found;
      failed = false;
      if (!same) tsuji.tell("alerts");
    } catch {
      if (asked !== mine) return;
      failed = true;
      tsuji.side.refresh("alerts");
    }
    count();
    timer = setTimeout(load, failed ? 5000 : AGAIN_MS);
  }

  const soon = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(load, ms);
  };

  function count() {
    const button = tsuji.byId("alerts-button");
    if (!button || !known) return;
    const n = known.on.length;
    const badge = button.firstElementChild;
    badge.hidden = !n;
    badge.textContent = n > 99 ? "99+" : String(n);
    const said = tsuji.t(n ? "alerts.n" : "alerts", { n });
    button.title = said;
    button.setAttribute("aria-label", said);
  }

  // --- the panel -------------------------------------------------------------------------------

  /** A value with its unit, of the figure or property that the rule is about; of silence a length of time. */
  function amount(it, value) {
    if (typeof value !== "number") return "–";
    if (!it.of) return lasted(value);
    const what = tsuji.page.figures.find(({ id }) => id === it.of) || tsuji.page.properties[it.of];
    if (!what) return tsuji.format.number(value, 1);
    return `${tsuji.format.value(what, value)} ${what.unit}`.trim();
  }

  function lasted(seconds) {
    const [n, unit] = seconds < 7200 ? [seconds / 60, "min"] : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
    return tsuji.t(`duration.${unit}`, { n: tsuji.format.number(Math.floor(n), 0) });
  }

  function subject(it) {
    if (it.thing) {
      const thing = tsuji.catalogue.things.get(it.thing);
      return thing ? tsuji.format.thingName(thing.properties) : it.thing;
    }
    const here = it.area.area_set === tsuji.catalogue.shapesOf && tsuji.catalogue.area.get(it.area.code);
    if (here) return tsuji.format.areaName(here);
    const set = (tsuji.catalogue.sets || []).find(({ id }) => id === it.area.area_set);
    const near = set && set.kind === "mesh" && tsuji.catalogue.nearIn(it.area.code);
    if (near) return tsuji.t("near", { name: tsuji.format.isolated(tsuji.format.thingName(near)) });
    const name = set ? (tsuji.page.lang === "ja" ? set.name : set.name_en) || set.name : it.area.area_set;
    return `${name} · ${it.area.code}`;
  }

  function row(it) {
    const on = it.state !== "ended" && !it.end;
    const times = on || tsuji.state.get().at && known.on.includes(it)
      ? tsuji.t("alerts.since", { time: tsuji.format.dateTime(Date.parse(it.start)) })
      : tsuji.t("alerts.from_to", { start: tsuji.format.dateTime(Date.parse(it.start)), end: tsuji.format.dateTime(Date.parse(it.end)) });
    const peak = amount(it, it.peak.value);
    const values = !it.of
      ? tsuji.t("alerts.silence", { peak })
      : on && typeof it.value === "number" && !tsuji.state.get().at
        ? tsuji.t("alerts.value", { value: amount(it, it.value), peak })
        : tsuji.t("alerts.peak", { peak });
    const go = () => {
      tsuji.state.set({ panel: null });
      if (it.thing) tsuji.select({ thing: it.thing });
      else tsuji.select({ area: it.area.code, set: it.area.area_set });
    };
    return make(
      "li",
      { class: on ? "alert on" : "alert" },
      make(
        "button",
        { type: "button", on: { click: go } },
        make("strong", {}, alerts.label(it)),
        make("span", { class: "subject" }, subject(it)),
        make("span", { class: "code" }, `${times}${it.state === "clearing" ? ` · ${tsuji.t("alerts.clearing")}` : ""}`),
        make("span", { class: "code" }, values),
      ),
    );
  }

  function list(items, empty) {
    return items.length ? make("ul", { class: "alerts" }, ...items.map(row)) : make("p", { class: "why" }, tsuji.t(empty));
  }

  function panel() {
    if (!known) return [make("p", { class: "why" }, failed ? tsuji.t("alerts.failed") : "…")];
    const past = Boolean(tsuji.state.get().at);
    return [
      failed ? make("p", { class: "why" }, tsuji.t("alerts.failed")) : null,
      make("section", {}, make("h3", {}, tsuji.t(past ? "alerts.on_past" : "alerts.on"), make("small", {}, String(known.on.length))), list(known.on, "alerts.none")),
      make("section", {}, make("h3", {}, tsuji.t("alerts.ended")), list(known.ended, "alerts.none_ended")),
      make("p", { class: "note" }, `${tsuji.t("alerts.note")} ${tsuji.t("detail.timezone")}`),
    ].filter(Boolean);
  }

  tsuji.on("boot", () => {
    tsuji.side.add("alerts", panel);
    load();
  });
  tsuji.on("alert", () => tsuji.page && soon(Math.random() * SPREAD_MS));
  tsuji.on("alerts", () => tsuji.side.refresh("alerts"));
  tsuji.on("things", () => tsuji.side.refresh("alerts"));
  tsuji.on("shapes", () => tsuji.side.refresh("alerts"));
  tsuji.on("connection", (status) => status === "live" && failed && soon(0));
  tsuji.on("state", (changed) => changed.has("at") && tsuji.page && soon(tsuji.timeline.moving ? 400 : 0));

  tsuji.alerts = alerts;
})();
