// What is known now: figures by area, states by thing. Filled by the live stream or by a past moment.
(function () {
  "use strict";
  const tsuji = window.tsuji;

  const data = {
    areas: new Map(), // code -> {figure: {value, n, time}}
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

    clear() {
      data.asOf = null;
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
