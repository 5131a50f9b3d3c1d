// The address holds the view, so that it can be sent to a colleague and that "back" leads back.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const STEPS = ["set", "figure", "area", "thing", "layers", "place", "panel", "at"]; // what "back" takes back
  const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i;
  const SLACK_MS = 60000; // a reader's clock may be a little behind
  let timer = null;
  let step = false; // whether what is about to be written is a step of its own
  let restoring = false;

  function moment(text) {
    // A "+" of an offset that wasn't escaped has become a space.
    const said = (text || "").replace(" ", "+");
    const ms = RFC_3339.test(said) ? Date.parse(said) : NaN;
    return Number.isFinite(ms) ? new Date(ms).toISOString().replace(".000Z", "Z") : null;
  }

  const isFuture = (at) => Date.parse(at) > Date.now() + SLACK_MS;

  function view(text) {
    const [zoom, lat, lng] = (text || "").split("/").map(Number);
    const whole = [zoom, lat, lng].every(Number.isFinite);
    return whole && Math.abs(lat) <= 85 && Math.abs(lng) <= 540 && zoom >= 0 && zoom <= 22
      ? { zoom, lat, lng }
      : null;
  }

  /** West, south, east and north of what a map is to show, however large it is. */
  function bounds(text) {
    const sides = (text || "").split(",").map((side) => (side.trim() ? Number(side) : NaN));
    const [west, south, east, north] = sides;
    const whole = sides.length === 4 && sides.every(Number.isFinite);
    return whole && west < east && south < north && west >= -540 && east <= 540 && south >= -85 && north <= 85
      ? { west, south, east, north }
      : null;
  }

  function read() {
    const query = new URLSearchParams(window.location.search);
    const theme = query.get("theme");
    const at = moment(query.get("at"));
    return {
      set: query.get("set"),
      figure: isFigure(query.get("figure")) ? query.get("figure") : tsuji.page.figure,
      area: query.get("area"),
      thing: query.get("area") ? null : query.get("thing"),
      layers: query.get("layers") || null,
      panel: isPanel(query.get("panel")) ? query.get("panel") : null,
      place: /^[^/]+\/\d+$/.test(query.get("place") || "") ? query.get("place") : null,
      themeAsked: theme === "dark" || theme === "light",
      theme: theme === "dark" || theme === "light" ? theme : preferred(),
      langAsked: query.has("lang"),
      at: at && isFuture(at) ? null : at,
      view: view(query.get("view")),
      bounds: view(query.get("view")) ? null : bounds(query.get("bounds")),
    };
  }

  /** What the address asks for and can't have, each with the name of its parameter. */
  function wrong() {
    const query = new URLSearchParams(window.location.search);
    const at = moment(query.get("at"));
    const sound = {
      figure: isFigure,
      at: moment,
      place: (value) => /^[^/]+\/\d+$/.test(value),
      panel: isPanel,
      view,
      bounds,
      lang: (value) => value === "ja" || value === "en",
      theme: (value) => value === "dark" || value === "light",
    };
    return {
      unknown: Object.keys(sound)
        .filter((key) => query.get(key) && !sound[key](query.get(key)))
        .map((key) => ({ key, value: query.get(key) })),
      future: at && isFuture(at) ? at : null,
    };
  }

  const isFigure = (id) => tsuji.page.figures.some((figure) => figure.id === id);

  const isPanel = (name) => name === "alerts" || name === "health";

  function preferred() {
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  /** The query string that brings this view back; `more` overrides. */
  function query(more) {
    const state = tsuji.state.get();
    const parts = {
      set: state.set,
      figure: state.figure,
      area: state.area,
      thing: state.thing,
      layers: state.layers,
      place: state.place,
      panel: state.panel,
      at: state.at,
      lang: state.langAsked ? tsuji.page.lang : null,
      theme: state.themeAsked ? state.theme : null,
      view: state.view
        ? `${+state.view.zoom.toFixed(2)}/${state.view.lat.toFixed(5)}/${state.view.lng.toFixed(5)}`
        : null,
      ...more,
    };
    const given = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined);
    return given
      .map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",")}`)
      .join("&");
  }

  /** Follow the state, of which `changed` are keys: each choice is a step, but an address that is only made complete. */
  function write(changed) {
    if (restoring) return;
    // A slider that is drawn and time that goes by are one step, not a hundred.
    const passing = changed.size === 1 && changed.has("at") && tsuji.timeline.moving;
    if (STEPS.some((key) => changed.has(key)) && !tsuji.state.completing && !passing) step = true;
    clearTimeout(timer);
    // Browsers refuse more than some hundred changes in half a minute: a drag must count as one.
    timer = setTimeout(put, step ? 0 : 150);
  }

  function put() {
    const where = `${window.location.pathname}?${query()}`;
    // Within another site's page the history is that page's.
    if (step && !tsuji.page.embed) window.history.pushState(null, "", where);
    else window.history.replaceState(window.history.state, "", where);
    step = false;
  }

  /** The reader has gone back or forth: show what that address shows; the theme stays as it is. */
  window.addEventListener("popstate", () => {
    if (!tsuji.page) return;
    clearTimeout(timer);
    step = false;
    const { set, figure, area, thing, layers, place, panel, at, view: seen } = read();
    // An address that was asked for may name a set that there isn't.
    const { sets } = tsuji.catalogue;
    const known = set && (!sets || sets.some(({ id }) => id === set));
    restoring = true;
    tsuji.state.set({ set: known ? set : tsuji.state.get().set, figure, area: known || !set ? area : null, thing, layers, place, panel, at });
    restoring = false;
    if (set && !known) timer = setTimeout(put, 150);
    if (seen) tsuji.map.show(seen);
    tsuji.tell("restored");
  });

  tsuji.address = {
    read,
    wrong,
    query,
    write,
  };
})();
