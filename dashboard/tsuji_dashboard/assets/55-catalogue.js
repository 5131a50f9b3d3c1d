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
      tsuji.tell("things");
    } catch {
      later(catalogue.loadThings, 3000);
    } finally {
      asking = false;
    }
  };

  /** A thing that we don't know has spoken: look again, but not all the time. */
  tsuji.on("values", ({ things }) => {
    for (const id of things) {
      if (!catalogue.things.has(id) && tsuji.data.things.has(id)) {
        if (Date.now() > again) catalogue.loadThings();
        return;
      }
    }
  });

  tsuji.catalogue = catalogue;
})();
