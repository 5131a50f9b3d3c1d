// Why an area shows no value: no sensor, none that measures it, silent ones, or what the hub says.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const held = new Map(); // code -> ids of the things that stand in it, of the shapes on the map

  /** Whether a point lies within a ring: an odd number of its edges is passed on the way out. */
  function within(ring, [x, y]) {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
      const [xi, yi] = ring[i];
      const [xj, yj] = ring[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  }

  /** The things of an area, as its display shape tells; only what is said about them depends on it. */
  function members(code) {
    if (held.has(code)) return held.get(code);
    const shapes = tsuji.catalogue.shapes;
    const feature = shapes && shapes.features.find(({ properties }) => properties.code === code);
    if (!feature) return [];
    const { geometry } = feature;
    const polygons = geometry.type === "MultiPolygon" ? geometry.coordinates : [geometry.coordinates];
    const found = [...tsuji.catalogue.things.values()].filter(({ geometry: point }) =>
      polygons.some((rings) => rings.filter((ring) => within(ring, point.coordinates)).length % 2 === 1),
    );
    const ids = found.map(({ properties }) => properties.id);
    held.set(code, ids);
    return ids;
  }

  /** The things of an area that measure what the figure is made of. */
  function measuring(code, figure) {
    return members(code).filter((id) => {
      const { properties } = tsuji.catalogue.things.get(id);
      const known = tsuji.data.things.get(id);
      const streams = properties.datastreams || Object.keys((known && known.latest) || properties.latest || {});
      return figure.properties.some((property) => streams.includes(property));
    });
  }

  /** What the hub says of a derived figure that has no value. */
  function derived(properties, figure) {
    const { derivedAt } = tsuji.data;
    if (!derivedAt) return tsuji.t("no_value.pending");
    const told = (tsuji.data.derived.get(properties.code) || {})[figure.id];
    if (figure.id === "percent_of_typical") {
      const counted = (tsuji.data.areas.get(properties.code) || {}).footfall;
      if (counted && typeof counted.value === "number" && !counted.typical) return tsuji.t("no_typical");
    }
    return (told && told.why) || "";
  }

  tsuji.why = (properties) => {
    const figure = tsuji.figure();
    const at = tsuji.state.get().at;
    if (tsuji.paint.suppressed(properties.code)) return tsuji.t("suppressed");
    if (!properties.things && !figure.estimates) return tsuji.t("no_sensor");
    if (tsuji.data.waits()) return tsuji.t("detail.loading");
    const measures = measuring(properties.code, figure);
    const known = members(properties.code).length >= properties.things;
    const speaking = (id) => (tsuji.data.things.get(id) || {}).state === "live";
    if (properties.things && !at && known && !measures.length && members(properties.code).every(speaking)) {
      return tsuji.t("no_measure");
    }
    if (figure.derived && (measures.length || figure.estimates || at || !known)) {
      const said = derived(properties, figure);
      if (said) return said;
    }
    if (!properties.things) return tsuji.t("no_sensor");
    if (at) return tsuji.t("no_value.past");
    const states = measures.map((id) => tsuji.data.things.get(id)).filter(Boolean);
    const everything = members(properties.code).map((id) => tsuji.data.things.get(id)).filter(Boolean);
    const silent = states.filter(({ state }) => state === "silent");
    const waiting = everything.filter(({ state }) => state === "waiting");
    const parts = [tsuji.t("no_value")];
    if (silent.length) {
      const heard = silent.map((it) => it.last_observed_at).filter(Boolean).sort().at(-1);
      if (heard) parts.push(tsuji.t("no_value.silent", { n: tsuji.format.number(silent.length), age: tsuji.format.since(heard) }));
    }
    if (waiting.length) parts.push(tsuji.t("no_value.waiting", { n: tsuji.format.number(waiting.length) }));
    return parts.join(" · ");
  };

  /** How the people counted in an area compare with what is usual, where the map shows them; else null. */
  tsuji.usual = (code, figure = tsuji.figure()) => {
    const it = figure.id === "footfall" && (tsuji.data.derived.get(code) || {}).percent_of_typical;
    if (!it || typeof it.value !== "number") return null;
    const side = { quieter_than_usual: "quieter", busier_than_usual: "busier" };
    const key = Object.keys(side).find((band) => it.band === tsuji.t(`usual_band.${band}`));
    const compared = tsuji.figure("percent_of_typical");
    return { side: key ? side[key] : "", text: tsuji.t("usual.compared", { value: tsuji.format.value(compared, it.value), band: it.band }) };
  };

  tsuji.on("shapes", () => held.clear());
  tsuji.on("things", () => held.clear());
})();
