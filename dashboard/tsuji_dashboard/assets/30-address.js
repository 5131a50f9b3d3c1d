// The address holds the view, so that it can be sent to a colleague.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  let timer = null;

  function moment(text) {
    // A "+" of an offset that wasn't escaped has become a space.
    const ms = Date.parse((text || "").replace(" ", "+"));
    return Number.isFinite(ms) ? new Date(ms).toISOString().replace(".000Z", "Z") : null;
  }

  function view(text) {
    const [zoom, lat, lng] = (text || "").split("/").map(Number);
    const whole = [zoom, lat, lng].every(Number.isFinite);
    return whole && Math.abs(lat) <= 85 && Math.abs(lng) <= 540 && zoom >= 0 && zoom <= 22
      ? { zoom, lat, lng }
      : null;
  }

  function read() {
    const query = new URLSearchParams(window.location.search);
    const theme = query.get("theme");
    return {
      set: query.get("set"),
      figure: query.get("figure"),
      area: query.get("area"),
      thing: query.get("area") ? null : query.get("thing"),
      themeAsked: theme === "dark" || theme === "light",
      theme: theme === "dark" || theme === "light" ? theme : preferred(),
      langAsked: query.has("lang"),
      at: moment(query.get("at")),
      view: view(query.get("view")),
    };
  }

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
      .map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%2F/g, "/").replace(/%3A/g, ":")}`)
      .join("&");
  }

  function write() {
    clearTimeout(timer);
    // Browsers refuse more than some hundred changes in half a minute: a drag must count as one.
    timer = setTimeout(() => {
      window.history.replaceState(window.history.state, "", `${window.location.pathname}?${query()}`);
    }, 150);
  }

  tsuji.address = { read, query, write };
})();
