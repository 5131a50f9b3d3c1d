// Layers of open data: places as points that gather where they are many, with details and credit.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const CELL = 72; // pixels; places that are nearer to each other stand together,
  const NEAR_CELL = 22; // and so near only where one looks closely
  const NEAR = 14.5; // zoom
  const COLOURS = ["#0b7285", "#862e9c", "#5c940d", "#a61e4d", "#364fc7", "#846358"];
  const NO_PLACES = ["population", "open_data_list"];

  let datasets = null; // as the API lists them, those of places
  let group = null; // what stands on the map
  let popup = null;
  let boxes = null;
  let closing = false;
  const loaded = new Map(); // id of dataset -> {places, more}
  const asked = new Set();

  const layers = {
    loaded,
    datasets: () => datasets || [],
    shown: () => ids().map((id) => (datasets || []).find((it) => it.id === id)).filter(Boolean),
    open,
    kind: (kind) => tsuji.page.words[`place.${kind}`] || kind,
    title: ({ title, title_en }) => (tsuji.page.lang === "ja" ? title : title_en) || title,
    name: (place) => (tsuji.page.lang === "ja" ? place.name : place.name_en) || place.name || "–",
  };

  const ids = () => (tsuji.state.get().layers || "").split(",").filter(Boolean);
  const colour = (id) => COLOURS[Math.max(0, layers.datasets().findIndex((it) => it.id === id)) % COLOURS.length];

  async function get(where) {
    const answer = await fetch(where);
    if (!answer.ok) throw new Error(`${where}: ${answer.status}`);
    return answer.json();
  }

  async function list() {
    try {
      const found = (await get("/hub/datasets")).items;
      datasets = found.filter(({ kind, features }) => features && !NO_PLACES.includes(kind));
      const { place } = tsuji.state.get();
      const unknown = ids().filter((id) => !datasets.some((it) => it.id === id));
      if (unknown.length) {
        const value = unknown.join(",");
        const named = tsuji.t("banner.parameter", { key: "layers", value });
        tsuji.state.complete({ layers: ids().filter((id) => !unknown.includes(id)).join(",") || null });
        tsuji.status.remark("layers", "banner.unknown_parameters", { named });
      }
      if (place) open(place);
      draw();
      load();
      tsuji.tell("layers");
    } catch {
      setTimeout(list, 4000);
    }
  }

  /** The switches, one for each dataset. */
  function draw() {
    const home = tsuji.byId("layers");
    if (!home || !datasets) return;
    const rows = datasets.map((it) => {
      const id = `layer-${it.id}`;
      const box = make("input", { type: "checkbox", id, on: { change: () => toggle(it.id, box.checked) } });
      box.checked = ids().includes(it.id);
      const dot = make("span", { class: "place-dot", "aria-hidden": "true" }, glyph(it));
      dot.style.background = colour(it.id);
      const n = tsuji.t("layers.n", { n: tsuji.format.number(it.features, 0) });
      return make(
        "li",
        {},
        box,
        make("label", { for: id }, dot, make("span", { class: "layer-name" }, layers.title(it)), make("small", {}, n)),
        make("div", { class: "layer-credit" }, tsuji.format.credits(it.publisher, it.licence, it.date)),
      );
    });
    boxes = make("ul", {}, ...rows);
    const inner = rows.length ? boxes : make("p", { class: "note" }, tsuji.t("layers.none"));
    const open = home.firstChild ? home.firstChild.open : ids().length > 0 && window.innerWidth > 860;
    home.replaceChildren(make("details", { open }, make("summary", {}, tsuji.t("layers")), inner));
  }

  const glyph = ({ kind }) => layers.kind(kind).slice(0, 1);

  function toggle(id, on) {
    const rest = ids().filter((it) => it !== id);
    const { place } = tsuji.state.get();
    const lost = !on && place && place.startsWith(`${id}/`);
    tsuji.state.set({ layers: (on ? [...rest, id] : rest).join(",") || null, place: lost ? null : place });
  }

  /** Ask for the places of all layers that are on. */
  async function load() {
    for (const it of layers.shown()) {
      if (loaded.has(it.id) || asked.has(it.id)) continue;
      asked.add(it.id);
      try {
        loaded.set(it.id, await get(`/hub/datasets/${encodeURIComponent(it.id)}/places?stamp=${encodeURIComponent(it.imported_at)}`));
        const { more, places } = loaded.get(it.id);
        const n = tsuji.format.number(places.length, 0);
        tsuji.status.remark(`layer ${it.id}`, more ? "layers.more" : null, { n });
      } catch {
        tsuji.status.remark(`layer ${it.id}`, "layers.failed");
        setTimeout(load, 5000);
      } finally {
        asked.delete(it.id);
      }
      place();
      tsuji.tell("layers");
    }
    place();
  }

  /** Put the places of the view on the map, those that are near to each other as one with their number. */
  function place() {
    const map = tsuji.map.map();
    if (!map) return;
    if (!group) group = window.L.layerGroup().addTo(map);
    group.clearLayers();
    const bounds = map.getBounds().pad(0.1);
    const width = map.getZoom() < NEAR ? CELL : NEAR_CELL;
    for (const it of layers.shown()) {
      const held = loaded.get(it.id);
      if (!held) continue;
      const cells = new Map();
      for (const one of held.places) {
        const [lng, lat] = one.at;
        if (!bounds.contains([lat, lng])) continue;
        const point = map.project([lat, lng]);
        const key = `${Math.floor(point.x / width)} ${Math.floor(point.y / width)}`;
        if (!cells.has(key)) cells.set(key, []);
        cells.get(key).push(one);
      }
      for (const members of cells.values()) group.addLayer(members.length === 1 ? point(it, members[0]) : cluster(it, members));
    }
  }

  function icon(it, shown, size) {
    const look = make("span", { class: "place-dot" }, shown);
    look.style.background = colour(it.id);
    return window.L.divIcon({ html: look, className: "place-mark", iconSize: [size, size] });
  }

  function marker(it, latlng, shown, size, said) {
    const made = window.L.marker(latlng, { icon: icon(it, shown, size), pane: "tsuji-things", title: said, alt: said, riseOnHover: true });
    made.on("add", () => {
      const element = made.getElement();
      element.setAttribute("aria-label", said);
      element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        made.fire("click");
      });
    });
    return made;
  }

  function point(it, one) {
    const [lng, lat] = one.at;
    const made = marker(it, [lat, lng], glyph(it), 20, `${layers.name(one)} · ${layers.kind(it.kind)}`);
    const which = `${it.id}/${one.number}`;
    made.on("click", () => tsuji.state.set({ place: which }));
    return made;
  }

  function cluster(it, members) {
    const mean = (i) => members.reduce((sum, { at }) => sum + at[i], 0) / members.length;
    const n = tsuji.format.number(members.length, 0);
    const said = tsuji.t("layers.cluster", { kind: layers.kind(it.kind), n });
    const made = marker(it, [mean(1), mean(0)], n, members.length > 99 ? 34 : 28, said);
    made.on("click", () => {
      const box = window.L.latLngBounds(members.map(({ at: [lng, lat] }) => [lat, lng]));
      const map = tsuji.map.map();
      const zoom = Math.max(map.getZoom() + 1, Math.min(map.getBoundsZoom(box), map.getZoom() + 4));
      map.setView(box.getCenter(), zoom);
    });
    return made;
  }

  /** Show a place with all that is said of it: `dataset/number`. */
  function open(which) {
    if (!datasets) return;
    const [id] = which.split("/");
    const it = datasets.find((known) => known.id === id);
    if (!it) {
      const named = tsuji.t("banner.parameter", { key: "place", value: which });
      tsuji.status.remark("place", "banner.unknown_parameters", { named });
      tsuji.state.complete({ place: null });
      return;
    }
    if (!ids().includes(id)) tsuji.state.complete({ layers: [...ids(), id].join(",") });
    tell(it, which);
  }

  async function tell(it, which) {
    const number = Number(which.split("/")[1]);
    let found = null;
    try {
      const page = await get(`/hub/datasets/${encodeURIComponent(it.id)}/features/${number}`);
      found = page.items.find((one) => one.number === number);
    } catch {
      setTimeout(() => tsuji.state.get().place === which && tell(it, which), 4000);
      return;
    }
    if (tsuji.state.get().place !== which) return;
    if (!found || !found.coordinates) {
      const named = tsuji.t("banner.parameter", { key: "place", value: which });
      tsuji.status.remark("place", "banner.unknown_parameters", { named });
      tsuji.state.complete({ place: null });
      return;
    }
    const [lng, lat] = found.coordinates;
    const map = tsuji.map.map();
    if (!map.getBounds().contains([lat, lng])) tsuji.map.goTo([lat, lng], 15);
    const { paddingTopLeft, paddingBottomRight } = tsuji.map.padding();
    close();
    popup = window.L.popup({
      closeButton: false,
      className: "place-popup",
      maxWidth: 300,
      autoPanPaddingTopLeft: paddingTopLeft,
      autoPanPaddingBottomRight: paddingBottomRight,
    });
    popup.setLatLng([lat, lng]).setContent(content(it, found));
    popup.on("remove", () => !closing && tsuji.state.set({ place: null }));
    popup.openOn(map);
    popup.getElement().querySelector("h2").focus({ preventScroll: true });
  }

  function close() {
    if (!popup) return;
    const focused = popup.getElement() && popup.getElement().contains(document.activeElement);
    const { lat, lng } = popup.getLatLng();
    closing = true;
    popup.remove();
    popup = null;
    closing = false;
    if (!focused) return;
    // Back to the place itself, should it still stand there by itself.
    const mark = group && group.getLayers().find((it) => it.getLatLng().lat === lat && it.getLatLng().lng === lng);
    if (mark && mark.getElement()) mark.getElement().focus({ preventScroll: true });
    else tsuji.map.map().getContainer().focus({ preventScroll: true });
  }

  function content(it, found) {
    const flags = (found.flags || []).map((flag) => tsuji.page.words[`flag.${flag}`]).filter(Boolean);
    const published = Object.entries(found.properties || {}).filter(([, value]) => value !== null && value !== "");
    const rows = published.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, String(value))]);
    const shut = tsuji.t("detail.close");
    return make(
      "div",
      {},
      make("button", { type: "button", class: "icon cross", title: shut, "aria-label": shut, on: { click: () => tsuji.state.set({ place: null }) } }),
      make("h2", { tabindex: "-1" }, layers.name(found)),
      make("div", { class: "code" }, layers.kind(it.kind)),
      found.address ? make("p", {}, found.address) : null,
      found.capacity ? make("p", {}, tsuji.t("place.capacity", { n: tsuji.format.number(found.capacity, 0) })) : null,
      ...flags.map((said) => make("p", { class: "odd" }, said)),
      rows.length ? make("details", {}, make("summary", {}, tsuji.t("place.as_published")), make("dl", {}, ...rows)) : null,
      make("p", { class: "layer-credit" }, tsuji.format.credits(layers.title(it), it.publisher, it.licence, it.date)),
    );
  }

  tsuji.on("boot", list);
  tsuji.on("map", (map) => {
    group = null;
    map.on("moveend", place);
    place();
    if (tsuji.state.get().place) open(tsuji.state.get().place);
  });
  tsuji.on("state", (changed) => {
    if (changed.has("layers")) {
      for (const box of boxes ? boxes.querySelectorAll("input") : []) box.checked = ids().includes(box.id.slice(6));
      load();
      tsuji.tell("layers");
      if (!tsuji.state.completing) tsuji.status.remark("layers", null);
    }
    if (!changed.has("place") || !tsuji.page) return;
    const { place: which } = tsuji.state.get();
    if (which) open(which);
    else close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && popup) {
      event.stopImmediatePropagation();
      tsuji.state.set({ place: null });
    }
  }, true);

  tsuji.layers = layers;
})();
