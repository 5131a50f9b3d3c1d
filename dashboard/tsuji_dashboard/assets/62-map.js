// The map's layers: areas and things on it, painted anew only where the look has changed.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const SVG_AREAS = 600; // beyond, elements cost more than a canvas
  const SVG_THINGS = 500;
  const { EDGE, isLikely } = tsuji.view;

  const areas = new Map(); // code -> layer
  const things = new Map(); // id -> layer
  let map = null;
  let areaLayer = null;
  let shown = null; // the shapes that are on the map
  let thingLayer = null;
  let canvas = null;
  let told = null; // the tooltip that is open
  let areasOnCanvas = false;
  let thingsOnCanvas = false;
  let moved = false; // whether the reader, not we, chose the view
  let fitting = false; // whether the map moves because we fit it

  const api = {
    map: () => map,
    areas,
    things,
    /** How often a shape was painted, for those who measure. */
    painted: 0,
  };

  // --- look ----------------------------------------------------------------------------------

  function apply(layer, style, state) {
    const key = JSON.stringify([style, state]);
    if (layer.tsujiLook === key) return false;
    layer.tsujiLook = key;
    layer.setStyle(style);
    if (style.radius !== undefined && layer.getRadius() !== style.radius) layer.setRadius(style.radius);
    api.painted += 1;
    return true;
  }

  function look(properties) {
    const chosen = tsuji.state.get().area === properties.code;
    return tsuji.paint.area(properties, { chosen, svg: !areasOnCanvas, tiles: tsuji.tiles.shown() });
  }

  function paintArea(code) {
    const layer = areas.get(code);
    if (!layer) return;
    const { properties } = layer.feature;
    apply(layer, look(properties), null);
    if (!areasOnCanvas) name(layer, properties.things ? tsuji.tips.areaLine(properties) : null);
    if (told && told._source === layer) told.update();
  }

  function paintThing(id) {
    const layer = things.get(id);
    if (!layer) return;
    const chosen = tsuji.state.get().thing === id;
    apply(layer, tsuji.paint.thing(layer.feature, chosen), null);
    if (!thingsOnCanvas) name(layer, tsuji.tips.thingLine(layer.feature));
    if (told && told._source === layer) told.update();
  }

  /** Role, name and focus of a shape, where it is an element. */
  function name(layer, said) {
    const element = layer.getElement && layer.getElement();
    if (!element) return;
    if (said === null) {
      // Its tooltip's listeners alone would make it a stop of the Tab key: hundreds of empty cells.
      if (element.getAttribute("tabindex") !== "-1") element.setAttribute("tabindex", "-1");
      return;
    }
    if (element.getAttribute("tabindex") !== "0") {
      element.setAttribute("tabindex", "0");
      element.setAttribute("role", "button");
    }
    if (element.getAttribute("aria-label") !== said) element.setAttribute("aria-label", said);
  }

  api.repaint = () => {
    for (const code of areas.keys()) paintArea(code);
    for (const id of things.keys()) paintThing(id);
    raise();
  };

  function raise() {
    const { area, thing } = tsuji.state.get();
    if (area && areas.has(area)) areas.get(area).bringToFront();
    if (thingsOnCanvas && thingLayer) thingLayer.bringToFront();
    if (thing && things.has(thing)) things.get(thing).bringToFront();
  }

  // --- layers --------------------------------------------------------------------------------

  function renderer(onCanvas, pane) {
    if (!onCanvas) return window.L.svg({ pane, padding: 0.3 });
    if (!canvas) canvas = window.L.canvas({ pane: "tsuji-areas", padding: 0.3, tolerance: 3 });
    return canvas;
  }

  function selectable(layer, choose, onCanvas) {
    layer.on("click", (event) => {
      window.L.DomEvent.stop(event);
      choose(true);
    });
    if (onCanvas) return;
    layer.on("add", () => {
      const element = layer.getElement && layer.getElement();
      if (!element) return;
      element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        choose(true);
      });
    });
  }

  function drawAreas(force) {
    const { shapes } = tsuji.catalogue;
    if (!map || !shapes) return;
    if (!force && drawn(shapes)) {
      api.repaint();
      if (!moved) settle();
      return;
    }
    shown = shapes;
    if (areaLayer) areaLayer.remove();
    areas.clear();
    areasOnCanvas = shapes.features.length > SVG_AREAS || thingsOnCanvas;
    const options = { pane: "tsuji-areas", renderer: renderer(areasOnCanvas, "tsuji-areas") };
    const tip = { sticky: true, className: "tip", opacity: 1 };
    let first = null;
    areaLayer = window.L.geoJSON(shapes, {
      ...options,
      smoothFactor: 0.6,
      style: ({ properties }) => (first = look(properties)),
      onEachFeature(feature, layer) {
        const { code } = feature.properties;
        areas.set(code, layer);
        layer.tsujiLook = JSON.stringify([first, null]);
        if (!areasOnCanvas) layer.bindTooltip(tsuji.tips.area, tip);
        selectable(layer, () => tsuji.select({ area: code }), areasOnCanvas);
      },
    });
    // Thousands of shapes share one: to make each its own takes longer than to draw them.
    if (areasOnCanvas) areaLayer.bindTooltip(tsuji.tips.area, tip);
    areaLayer.addTo(map);
    api.repaint();
    if (!moved) settle();
    showChosen();
  }

  /** Whether these shapes are on the map already; then only how many things they hold is news. */
  function drawn(shapes) {
    if (!shown || shown.features.length !== shapes.features.length) return false;
    const same = shapes.features.every((feature, i) => {
      const old = shown.features[i];
      return (
        old.properties.code === feature.properties.code &&
        JSON.stringify(old.geometry) === JSON.stringify(feature.geometry)
      );
    });
    if (!same) return false;
    for (const feature of shapes.features) {
      areas.get(feature.properties.code).feature.properties = feature.properties;
    }
    return true;
  }

  function drawThings() {
    const known = tsuji.catalogue.things;
    if (!map) return;
    if (thingLayer) thingLayer.remove();
    things.clear();
    const before = thingsOnCanvas;
    thingsOnCanvas = known.size > SVG_THINGS;
    const options = { renderer: renderer(thingsOnCanvas, "tsuji-things") };
    options.pane = thingsOnCanvas ? "tsuji-areas" : "tsuji-things";
    thingLayer = window.L.featureGroup();
    for (const [id, feature] of known) {
      const [lng, lat] = feature.geometry.coordinates;
      const shape = tsuji.paint.SHAPES[feature.properties.kind] || "square";
      // The map ends at 85°: a sensor that claims to be at a pole stands at its edge.
      const layer = tsuji.makeMarker([Math.max(-EDGE, Math.min(EDGE, lat)), lng], { ...options, shape });
      layer.feature = feature;
      layer.bindTooltip(tsuji.tips.thing, { className: "tip", opacity: 1, direction: "top", offset: [0, -6] });
      selectable(layer, () => tsuji.select({ thing: id }));
      things.set(id, layer);
      thingLayer.addLayer(layer);
    }
    thingLayer.addTo(map);
    if (before !== thingsOnCanvas) drawAreas(true);
    api.repaint();
    showChosen();
  }

  // --- view ----------------------------------------------------------------------------------

  /** What is fitted must not lie beneath the cards. */
  const padding = () => tsuji.view.room(map.getContainer());

  function fit(bounds, maxZoom = 16) {
    if (!map || !bounds.isValid()) return;
    const calm = fitting || window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    map.fitBounds(bounds, { ...padding(), maxZoom, animate: !calm && map.tsujiFitted === true });
    map.tsujiFitted = true;
  }

  /** Fit what the address asks for, or the areas, unasked: that is no choice of the reader's. */
  function settle() {
    const { bounds } = tsuji.state.get();
    fitting = true;
    if (bounds) fit(window.L.latLngBounds([bounds.south, bounds.west], [bounds.north, bounds.east]), 18);
    else api.fitAreas();
    fitting = false;
  }

  /** What is seen of the map between the cards, as the address has it; null before there is a map. */
  api.extent = () => {
    if (!map) return null;
    const { paddingTopLeft: [left, top], paddingBottomRight: [right, bottom] } = padding();
    const { x, y } = map.getSize();
    const one = map.containerPointToLatLng([left, top]);
    const other = map.containerPointToLatLng([Math.max(x - right, left + 1), Math.max(y - bottom, top + 1)]);
    // Who went round the world sees the same of it; beyond its edges there is nothing to see.
    const round = 360 * Math.trunc((one.lng + other.lng) / 720);
    const within = (side, most) => +Math.max(-most, Math.min(most, side)).toFixed(5);
    return [within(one.lng - round, 540), within(other.lat, EDGE), within(other.lng - round, 540), within(one.lat, EDGE)].join(",");
  };

  /** Header or banner have taken room from the map, or given it back. */
  function resized() {
    map.invalidateSize({ animate: false });
    if (!moved && map.tsujiFitted) settle();
  }

  /** Show a view that the reader has had before. */
  api.show = ({ lat, lng, zoom }) => {
    if (!map) return;
    moved = true;
    map.setView([lat, lng], zoom, { animate: false });
  };

  /** Show where most sensors are, or all areas where there is none: Tokyo's islands, a thousand
   * kilometres out at sea, must not make a dot of its wards. */
  api.fitAreas = () => {
    const found = [...areas.values()].map((layer) => {
      const bounds = layer.getBounds();
      return { bounds, centre: bounds.getCenter(), weight: layer.feature.properties.things || 0 };
    });
    const bounds = window.L.latLngBounds([]);
    for (const { bounds: one } of tsuji.view.core(found)) bounds.extend(one);
    fit(bounds);
  };

  api.fitThings = () => {
    const points = [...things.values()].map((layer) => layer.getLatLng());
    const likely = points.filter(isLikely);
    fit(window.L.latLngBounds(likely.length ? likely : points));
  };

  /** Bring the selected area or thing out from under the panel. */
  function showChosen() {
    const { area, thing } = tsuji.state.get();
    const layer = area ? areas.get(area) : thing ? things.get(thing) : null;
    if (!map || !layer) return;
    const centre = layer.getBounds ? layer.getBounds().getCenter() : layer.getLatLng();
    if (thing && !map.getBounds().pad(2).contains(centre)) map.setView(centre, Math.max(map.getZoom(), 14));
    map.panInside(centre, padding());
  }
  api.showChosen = showChosen;

  /** Go to a place, at the least so near, out from under the cards. */
  api.goTo = ([lat, lng], zoom) => {
    if (!map) return;
    moved = true;
    map.setView([lat, lng], Math.max(map.getZoom(), zoom), { animate: false });
    map.panInside([lat, lng], padding());
  };

  /** Fit one area of the set on the map. */
  api.goToArea = (code) => {
    if (!areas.has(code)) return;
    moved = true;
    fit(areas.get(code).getBounds());
  };

  api.padding = padding;

  /** Close the tooltip that is open. */
  api.hush = () => told && told.close();

  api.element = ({ area, thing }) => {
    const layer = area ? areas.get(area) : things.get(thing);
    return (layer && layer.getElement && layer.getElement()) || null;
  };

  /** Take over the map that Dash has made. */
  api.attach = (made) => {
    map = made;
    // It is a stop of the Tab key: what may be done there must be told.
    map.getContainer().setAttribute("role", "group");
    map.getContainer().setAttribute("aria-label", tsuji.t("map.keys"));
    map.createPane("tsuji-areas").style.zIndex = 410;
    map.createPane("tsuji-things").style.zIndex = 460;
    canvas = null;
    const { view } = tsuji.state.get();
    if (view) {
      moved = true;
      map.setView([view.lat, view.lng], view.zoom, { animate: false });
    }
    map.on("dragstart zoomstart", () => {
      if (map.tsujiFitted && !fitting) moved = true;
    });
    map.on("moveend", () => {
      const { lat, lng } = map.getCenter();
      tsuji.state.set({ view: { lat, lng, zoom: map.getZoom() } });
    });
    map.on("click", () => tsuji.select({}));
    map.on("tooltipopen", ({ tooltip }) => (told = tooltip));
    map.on("tooltipclose", () => (told = null));
    new ResizeObserver(() => requestAnimationFrame(resized)).observe(map.getContainer());
    tsuji.tiles.attach(map);
    drawThings();
    drawAreas(true);
    tsuji.tell("map", map);
  };

  // Ages in an open tooltip go on counting.
  setInterval(() => {
    if (told && told._source && told._source.feature) told.update();
  }, 1000);

  tsuji.on("shapes", (shapes) => shapes && drawAreas(false));
  tsuji.on("things", drawThings);
  tsuji.on("values", ({ areas: codes, things: ids }) => {
    codes.forEach(paintArea);
    ids.forEach(paintThing);
  });
  tsuji.on("tiles", api.repaint);
  tsuji.on("alerts", api.repaint);
  tsuji.on("paper", () => {
    api.repaint();
    // Leaflet draws its canvas with the next picture of the screen, which paper doesn't wait for.
    if (canvas && canvas._redrawRequest) {
      window.L.Util.cancelAnimFrame(canvas._redrawRequest);
      canvas._redraw();
    }
  });
  tsuji.on("state", (changed) => {
    if (changed.has("set") && areaLayer) {
      // Another set is shown where its sensors are: what the address asks for is of the first one.
      tsuji.state.get().bounds = null;
      moved = false;
    }
    if (["figure", "theme", "area", "thing"].some((key) => changed.has(key))) api.repaint();
    if (changed.has("area") || changed.has("thing")) requestAnimationFrame(showChosen);
  });

  tsuji.map = api;
})();
