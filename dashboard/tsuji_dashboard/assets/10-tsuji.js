// The one namespace, the page's state and the way the parts tell each other what changed.
(function () {
  "use strict";

  const listeners = new Map();

  const tsuji = {
    /** What the server put into the map's page: words, figures, bins; filled by boot. */
    page: null,

    /** {lang, words} of any page that lives; filled by its boot. */
    language: null,

    /** Call `listener(detail)` whenever `event` is told. */
    on(event, listener) {
      if (!listeners.has(event)) listeners.set(event, []);
      listeners.get(event).push(listener);
    },

    tell(event, detail) {
      for (const listener of listeners.get(event) || []) listener(detail);
    },

    byId(id) {
      return document.getElementById(id);
    },

    /** Make an element; text goes in as text, never as HTML: names come from strangers' sensors. */
    make(tag, attributes, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(attributes || {})) {
        if (value === false || value === null || value === undefined) continue;
        if (name === "on") {
          for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
        } else {
          element.setAttribute(name, value === true ? "" : String(value));
        }
      }
      element.append(...children.filter((child) => child !== null && child !== undefined));
      return element;
    },
  };

  const state = {
    set: null, // area set
    figure: null,
    area: null, // code of the selected area
    thing: null, // id of the selected thing
    theme: "light",
    themeAsked: false, // whether the reader chose the theme, so that it belongs into the address
    langAsked: false,
    layers: null, // ids of the datasets that are shown, divided by commas
    place: null, // one of their places: id of the dataset/number
    panel: null, // alerts or health, where that panel is open
    at: null, // past moment, RFC 3339, or null for live
    view: null, // {lat, lng, zoom}
    bounds: null, // {west, south, east, north} that the map shows at first, where the address says so
  };

  tsuji.state = {
    get: () => state,
    /** Change some of the state; tells `state` with the set of keys that really changed. */
    set(patch) {
      const changed = new Set();
      for (const [key, value] of Object.entries(patch)) {
        const same = key === "view" ? false : state[key] === value;
        if (same) continue;
        state[key] = value;
        changed.add(key);
      }
      if (changed.size) tsuji.tell("state", changed);
    },
    /** Change what the page itself completes or can't have: that is no choice of the reader's. */
    complete(patch) {
      const { completing } = tsuji.state;
      tsuji.state.completing = true;
      try {
        tsuji.state.set(patch);
      } finally {
        tsuji.state.completing = completing;
      }
    },
    completing: false,
  };

  tsuji.figure = (id) => tsuji.page.figures.find((figure) => figure.id === (id || state.figure));

  window.tsuji = tsuji;
})();
