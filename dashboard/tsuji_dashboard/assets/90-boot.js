// Starts everything once Dash has put the page on the screen, and connects the controls.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const props = (id, values) => window.dash_clientside.set_props(id, values);

  function boot(page) {
    if (!page || tsuji.page) return Boolean(tsuji.page);
    tsuji.page = page;
    tsuji.language = page;
    const asked = tsuji.address.read();
    const wrong = tsuji.address.wrong();
    Object.assign(tsuji.state.get(), asked);
    hatch();
    tsuji.tell("boot");
    complain(wrong);
    applyTheme();
    button("zoom-in", () => tsuji.map.map().zoomIn());
    button("zoom-out", () => tsuji.map.map().zoomOut());
    button("fit-areas", tsuji.map.fitAreas);
    button("fit-things", tsuji.map.fitThings);
    button("theme-switch", () => {
      const theme = tsuji.state.get().theme === "dark" ? "light" : "dark";
      tsuji.state.set({ theme, themeAsked: true });
    });
    more();
    const language = tsuji.byId("language");
    language.addEventListener("click", (event) => {
      language.href = `?${tsuji.address.query({ lang: language.getAttribute("hreflang") })}`;
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      window.location.replace(language.href);
    });
    props("figure", { value: tsuji.state.get().figure });
    tsuji.catalogue.loadSets();
    tsuji.catalogue.loadThings();
    const { set, at } = tsuji.state.get();
    if (set) {
      tsuji.catalogue.loadShapes(set);
      tsuji.live.follow(set, at);
    }
    whenMapped();
    return true;
  }

  /** Tell all that the address asks for in vain, until the reader makes a choice. */
  function complain({ unknown, future }) {
    if (unknown.length) {
      const named = unknown.map(({ key, value }) => tsuji.t("banner.parameter", { key, value })).join(tsuji.t("banner.and"));
      tsuji.status.remark("address", "banner.unknown_parameters", { named });
    }
    if (future) tsuji.status.remark("future", "banner.future", { time: tsuji.format.dateTime(Date.parse(future)) });
  }

  /** On narrow screens search, list and layers wait behind a button; who skips to the list opens it. */
  function more() {
    const card = document.querySelector(".controls");
    const toggle = tsuji.byId("controls-more");
    const open = (wanted) => {
      card.classList.toggle("open", wanted);
      if (toggle) toggle.setAttribute("aria-expanded", String(card.classList.contains("open")));
    };
    if (toggle) toggle.addEventListener("click", () => open());
    document.querySelector(".skip").addEventListener("click", () => open(true));
    tsuji.on("state", (changed) => ["area", "thing", "place"].some((key) => changed.has(key)) && open(false));
  }

  function button(id, action) {
    tsuji.byId(id).addEventListener("click", action);
  }

  /** The pattern of areas whose sensors are silent. */
  function hatch() {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("class", "defs");
    svg.setAttribute("aria-hidden", "true");
    const pattern = document.createElementNS(space, "pattern");
    for (const [name, value] of Object.entries({ id: "tsuji-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" })) {
      pattern.setAttribute(name, value);
    }
    for (const [kind, x, width] of [["paper", 0, 6], ["stripe", 0, 2.2]]) {
      const rect = document.createElementNS(space, "rect");
      for (const [name, value] of Object.entries({ x, width, height: 6, class: `hatch-${kind}` })) rect.setAttribute(name, value);
      pattern.append(rect);
    }
    const defs = document.createElementNS(space, "defs");
    defs.append(pattern);
    svg.append(defs);
    document.body.append(svg);
  }

  // Leaflet tells of every map that is made; Dash has only one.
  let made = null;
  function hook() {
    if (!window.L) return false;
    window.L.Map.addInitHook(function () {
      made = this;
    });
    return true;
  }
  if (!hook()) throw new Error("the map library must be loaded before this script");

  function whenMapped() {
    if (made && made._loaded) tsuji.map.attach(made);
    else requestAnimationFrame(whenMapped);
  }

  function applyTheme() {
    const { theme } = tsuji.state.get();
    document.documentElement.dataset.theme = theme;
    props("theme", { forceColorScheme: theme });
    const said = tsuji.t(theme === "dark" ? "theme.to_light" : "theme.to_dark");
    const element = tsuji.byId("theme-switch");
    element.title = said;
    element.setAttribute("aria-label", said);
  }

  // --- area sets -------------------------------------------------------------------------------

  let known = null; // the area sets as they were last listed

  function setsArrived(sets) {
    if (!sets) {
      tsuji.live.nothing();
      return;
    }
    if (!sets.length) {
      tsuji.status.remark("sets", "banner.no_sets");
      return;
    }
    if (known === JSON.stringify(sets)) return;
    known = JSON.stringify(sets);
    tsuji.status.remark("sets", null);
    const japanese = tsuji.page.lang === "ja";
    const options = sets.map((set) => ({ value: set.id, label: (japanese ? set.name : set.name_en) || set.name || set.id }));
    let { set } = tsuji.state.get();
    if (!sets.some(({ id }) => id === set)) {
      const { area } = tsuji.state.get();
      if (set && area) {
        const named = tsuji.t("banner.parameter", { key: "area", value: area });
        tsuji.status.remark("left", "banner.unknown_parameters", { named });
      }
      if (set) tsuji.status.remark("set", "banner.unknown_set", { id: set });
      // An area without its set may well be one of the set that is shown unasked.
      tsuji.state.complete({ set: first(sets).id, area: set ? null : area });
      set = first(sets).id;
    }
    props("area-set", { data: options, value: set });
    credit();
  }

  /** What is shown unasked: municipalities where there are some, else what covers most. */
  function first(sets) {
    return sets[0].kind === "municipality"
      ? sets[0]
      : sets.reduce((best, set) => (set.areas > best.areas ? set : best));
  }

  // An area set may be imported while the page is open.
  setInterval(() => {
    if (tsuji.page && tsuji.catalogue.sets && !document.hidden) tsuji.catalogue.loadSets();
  }, 60000);

  /** Where the shapes come from. */
  function areas(source) {
    const [before, after] = tsuji.t("credit.areas", { source: "\n" }).split("\n");
    return tsuji.make("span", {}, before, tsuji.format.credits(source), after);
  }

  function credit() {
    const home = tsuji.byId("credit");
    const set = (tsuji.catalogue.sets || []).find((known) => known.id === tsuji.state.get().set);
    const parts = [];
    if (tsuji.tiles.shown()) {
      const href = "https://maps.gsi.go.jp/development/ichiran.html";
      parts.push(tsuji.make("a", { href, rel: "noopener", target: "_blank" }, tsuji.t("credit.tiles")));
    }
    if (tsuji.tiles.missed()) parts.push(tsuji.make("span", {}, tsuji.t("credit.no_tiles")));
    if (set && set.source) parts.push(areas(set.source));
    for (const { publisher, licence, title } of tsuji.layers.shown()) {
      parts.push(tsuji.format.credits(title, publisher, licence));
    }
    parts.push(tsuji.make("a", { href: "https://leafletjs.com", rel: "noopener", target: "_blank" }, "Leaflet"));
    home.replaceChildren(...parts);
  }

  tsuji.on("sets", setsArrived);
  tsuji.on("connection", (status) => status === "unknown" && tsuji.catalogue.sets && tsuji.catalogue.loadSets());
  tsuji.on("tiles", credit);
  tsuji.on("layers", credit);
  tsuji.on("shapes", (shapes) => {
    if (!shapes) {
      tsuji.status.remark("shapes", "banner.geometry");
      return;
    }
    const { area } = tsuji.state.get();
    const unknown = area && !tsuji.catalogue.area.has(area);
    tsuji.status.remark("shapes", unknown ? "banner.unknown_area" : null, { id: area });
  });
  tsuji.on("restored", () => props("figure", { value: tsuji.state.get().figure }));
  tsuji.on("state", (changed) => {
    tsuji.address.write(changed);
    const { set, at } = tsuji.state.get();
    if (!tsuji.state.completing && ["set", "figure", "area", "thing", "at"].some((key) => changed.has(key))) {
      for (const subject of ["address", "left", "future"]) tsuji.status.remark(subject, null);
    }
    if (changed.has("theme") && tsuji.page) applyTheme();
    if (!tsuji.page || !set) return;
    if (changed.has("set")) {
      if (tsuji.catalogue.shapesOf) tsuji.status.remark("set", null);
      tsuji.catalogue.loadShapes(set);
      props("area-set", { value: set });
      credit();
    }
    if (changed.has("set") || changed.has("at")) tsuji.live.follow(set, at);
  });

  window.dash_clientside = Object.assign(window.dash_clientside || {}, {
    tsuji: {
      boot,
      chooseAreaSet: (value) => void (value && tsuji.page && tsuji.state.set({ set: value })),
      chooseFigure: (value) => void (value && tsuji.page && tsuji.state.set({ figure: value })),
    },
  });
})();
