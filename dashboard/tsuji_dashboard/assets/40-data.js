// What is known now: figures by area, states by thing. Filled by the live stream or by a past moment.
(function () {
  "use strict";
  const tsuji = window.tsuji;

  const data = {
    areas: new Map(), // code -> {figure: {value, n, time}}
    derived: new Map(), // code -> {figure: {value, band, why, rule, estimated}}
    derivedAt: null, // RFC 3339; the moment that derived figures are of, null before there are any
    things: new Map(), // id -> {state, last_observed_at, latest}
    asOf: null, // ms; up to when the values are known to be complete
    newest: null, // ms; the newest observation of any thing

    /** Replace everything by a snapshot. */
    load(body) {
      const areas = new Set(data.areas.keys());
      const things = new Set(data.things.keys());
      data.areas.clear();
      data.things.clear();
      data.newest = null;
      take(body, areas, things);
    },

    /** Merge a change. */
    merge(body) {
      take(body, new Set(), new Set());
    },

    /** Merge derived figures, whose texts stand in a list, in both languages. */
    mergeDerived(body) {
      const column = tsuji.language.lang === "ja" ? 1 : 0;
      const text = (place) => (place === undefined ? "" : body.texts[place][column]);
      for (const [code, figures] of Object.entries(body.areas)) {
        const told = Object.entries(figures).map(([id, it]) => [id, { ...it, band: text(it.band), why: text(it.why) }]);
        data.derived.set(code, Object.fromEntries(told));
      }
      data.derivedAt = body.time;
      tsuji.tell("values", { areas: new Set(Object.keys(body.areas)), things: new Set() });
    },

    /** Whether nothing has come yet, and is on its way. */
    waits: () => data.asOf === null && !data.areas.size && !data.things.size && ["connecting", "live", "limited"].includes(tsuji.live.status),

    clear() {
      data.asOf = null;
      data.derived.clear();
      data.derivedAt = null;
      data.load({});
    },
  };

  function take(body, areas, things) {
    for (const area of body.areas || []) {
      areas.add(area.code);
      if (Object.keys(area.figures || {}).length) data.areas.set(area.code, area.figures);
      else data.areas.delete(area.code);
    }
    for (const thing of body.things || []) {
      things.add(thing.id);
      data.things.set(thing.id, thing);
      const heard = Date.parse(thing.last_observed_at);
      if (heard > (data.newest || 0)) data.newest = heard;
    }
    if (body.time) data.asOf = Math.max(data.asOf || 0, Date.parse(body.time));
    tsuji.tell("values", { areas, things });
  }

  tsuji.data = data;
})();
