// Area sets, shapes and things: fetched once by address, again only when something is missing.
(function () {
  "use strict";
  const tsuji = window.tsuji;

  const catalogue = {
    sets: null, // as the API lists them
    shapes: null, // GeoJSON of the chosen set
    shapesOf: null, // which set that is
    things: new Map(), // id -> GeoJSON feature
    area: new Map(), // code -> properties
    near: new Map(), // code of a mesh cell -> the thing that people know it by
  };

  let wanted = null;
  let asking = false;
  let again = 0;

  async function get(where) {
    const answer = await fetch(where);
    if (!answer.ok) throw new Error(`${where}: ${answer.status}`);
    return answer.json();
  }

  const later = (action, ms) => setTimeout(action, ms);

  /** The list of area sets; asked for until there is one. */
  catalogue.loadSets = async () => {
    try {
      catalogue.sets = (await get("/hub/area-sets")).items;
      tsuji.tell("sets", catalogue.sets);
      if (!catalogue.sets.length) later(catalogue.loadSets, 4000);
    } catch {
      if (catalogue.sets) return; // only looked for new ones
      tsuji.tell("sets", null);
      later(catalogue.loadSets, 2000);
    }
  };

  /** The shapes of an area set; the old ones stay until the new ones are here. */
  catalogue.loadShapes = async (set) => {
    wanted = set;
    try {
      const shapes = await get(`/hub/area-sets/${encodeURIComponent(set)}/areas`);
      if (wanted !== set) return;
      catalogue.shapes = shapes;
      catalogue.shapesOf = set;
      catalogue.area = new Map(
        shapes.features.map((feature) => [feature.properties.code, feature.properties]),
      );
      findNear();
      tsuji.tell("shapes", shapes);
    } catch {
      if (wanted !== set) return;
      tsuji.tell("shapes", null);
      later(() => wanted === set && catalogue.loadShapes(set), 3000);
    }
  };

  /** Where the things are and what they are called. */
  catalogue.loadThings = async () => {
    if (asking) return;
    asking = true;
    again = Date.now() + 5000;
    try {
      const found = await get("/hub/things.geojson");
      catalogue.things = new Map(
        found.features
          .filter((feature) => feature.geometry)
          .map((feature) => [feature.properties.id, feature]),
      );
      findNear();
      tsuji.tell("things");
    } catch {
      later(catalogue.loadThings, 3000);
    } finally {
      asking = false;
    }
  };

  /** Nobody knows a mesh cell by its code: name it after a thing in it, a counter's place first. */
  function findNear() {
    catalogue.near = new Map();
    const cells = ((catalogue.shapes && catalogue.shapes.features) || []).filter(
      ({ properties }) => properties.things && tsuji.format.isMesh(properties),
    );
    if (!cells.length) return;
    const known = bestKnown();
    for (const { properties, geometry, bbox } of cells) {
      const first = firstWithin(known, bbox || box(geometry));
      if (first) catalogue.near.set(properties.code, first);
    }
  }

  function bestKnown() {
    const rank = ({ kind }) => (kind === "footfall_counter" ? 0 : 1);
    return [...catalogue.things.values()].sort(
      (a, b) =>
        rank(a.properties) - rank(b.properties) || (a.properties.id < b.properties.id ? -1 : 1),
    );
  }

  function firstWithin(known, [w, s, e, n]) {
    const first = known.find(({ geometry: point }) => {
      const [x, y] = point.coordinates;
      return x >= w && x < e && y >= s && y < n;
    });
    return first && first.properties;
  }

  /** The extent of a mesh cell, which its code tells (JIS X 0410): west, south, east, north. */
  function cell(code) {
    const [p, q, r, s, t, u, ...parts] = code.match(/^(\d\d)(\d\d)([0-7])([0-7])(\d)(\d)([1-4]?)([1-4]?)$/).slice(1).map(Number);
    let [south, west] = [p / 1.5 + r / 12 + t / 120, 100 + q + s / 8 + u / 80];
    let [tall, wide] = [1 / 120, 1 / 80];
    for (const quarter of parts.filter(Boolean)) {
      tall /= 2;
      wide /= 2;
      if (quarter > 2) south += tall;
      if (quarter % 2 === 0) west += wide;
    }
    return [west, south, west + wide, south + tall];
  }

  /** The thing by which people know a mesh cell of any area set. */
  catalogue.nearIn = (code) => {
    if (catalogue.near.has(code)) return catalogue.near.get(code);
    return /^\d{4}[0-7]{2}\d{2}[1-4]{0,2}$/.test(code) ? firstWithin(bestKnown(), cell(code)) : null;
  };

  function box(geometry) {
    const points = geometry.coordinates.flat(geometry.type === "MultiPolygon" ? 2 : 1);
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  /** A thing that we don't know has spoken: look again, but not all the time. */
  tsuji.on("values", ({ things }) => {
    if (!tsuji.page) return;
    for (const id of things) {
      if (!catalogue.things.has(id) && tsuji.data.things.has(id)) {
        if (Date.now() > again) {
          catalogue.loadThings();
          if (wanted) catalogue.loadShapes(wanted);
        }
        return;
      }
    }
  });

  tsuji.catalogue = catalogue;
})();
