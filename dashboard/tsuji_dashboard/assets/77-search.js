// Search for an area, a sensor or a place by its Japanese or English name; a combobox as WAI-ARIA has it.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const { plain, sound } = tsuji.kana;
  const MOST = 12;

  const elsewhere = new Map(); // area set -> features, of sets with names that are not on the map
  const worked = new Map(); // name -> {plain, sound}
  let field = null;
  let list = null;
  let said = null;
  let found = [];
  let active = -1;
  let waiting = null; // an area of another set, until its shapes are here

  function build() {
    const home = tsuji.byId("search");
    list = make("ul", { id: "search-list", role: "listbox", "aria-label": tsuji.t("search"), hidden: true });
    said = make("div", { role: "status", class: "hidden" });
    field = make("input", {
      type: "search",
      id: "search-field",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 80,
      placeholder: tsuji.t("search.hint"),
      "aria-label": `${tsuji.t("search")}: ${tsuji.t("search.hint")}`,
      "aria-expanded": "false",
      "aria-controls": "search-list",
      "aria-autocomplete": "list",
      on: { input: show, keydown: key, focus: prepare, blur: () => setTimeout(() => document.activeElement === field || shut(), 150) },
    });
    home.replaceChildren(field, list, said);
  }

  /** The names of other area sets, asked for once somebody searches. */
  async function prepare() {
    if (field.value) show();
    for (const { id, kind, areas } of tsuji.catalogue.sets || []) {
      if (kind === "mesh" || areas > 3000 || elsewhere.has(id)) continue;
      elsewhere.set(id, []);
      try {
        const answer = await fetch(`/hub/area-sets/${encodeURIComponent(id)}/areas`);
        if (answer.ok) elsewhere.set(id, (await answer.json()).features.map(({ properties }) => properties));
        else elsewhere.delete(id);
      } catch {
        elsewhere.delete(id);
      }
      again();
    }
  }

  /** How a name is written and how it sounds, worked out once: there may be tens of thousands. */
  function known(name) {
    if (!worked.has(name)) worked.set(name, { plain: plain(name), sound: sound(name) });
    return worked.get(name);
  }

  /** How well a name fits: 0 the same, 1 begins so, 2 holds all words; null where it doesn't. */
  function fit(wanted, words, names) {
    const ranks = names
      .filter((name) => words.every((word) => name.includes(word)))
      .map((name) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : 2));
    return ranks.length ? Math.min(...ranks) : null;
  }

  /** The better of how it is written and how it sounds. */
  function rank({ names, readings = [] }, { wanted, words, heard, sounds }) {
    const written = fit(wanted, words, names.map((name) => known(name).plain));
    const said = heard ? fit(heard, sounds, [...names, ...readings].map((name) => known(name).sound).filter(Boolean)) : null;
    return written === null ? said : said === null ? written : Math.min(written, said);
  }

  function asked() {
    const words = field.value.split(/\s+/).filter((word) => plain(word));
    const sounds = words.map(sound);
    return { wanted: plain(field.value), words: words.map(plain), heard: sounds.every(Boolean) ? sound(field.value) : "", sounds };
  }

  function* candidates() {
    const { set } = tsuji.state.get();
    for (const properties of tsuji.catalogue.area.values()) {
      if (tsuji.format.isMesh(properties)) yield { id: `area/${set}/${properties.code}`, names: [properties.code], label: tsuji.format.areaName(properties), kind: tsuji.t("mesh", { code: properties.code }), choose: () => area(set, properties.code) };
      else yield areaOf(set, properties);
    }
    for (const [id, areas] of elsewhere) {
      if (id !== set) for (const properties of areas) yield areaOf(id, properties);
    }
    for (const [id, { properties, geometry }] of tsuji.catalogue.things) {
      const [lng, lat] = geometry.coordinates;
      const choose = () => {
        tsuji.select({ thing: id });
        tsuji.map.goTo([Math.max(-85, Math.min(85, lat)), lng], 15);
      };
      yield { id: `thing/${id}`, names: [properties.name, properties.name_en, id], label: tsuji.format.thingName(properties), kind: tsuji.format.kind(properties.kind), choose };
    }
    for (const it of tsuji.layers.datasets()) {
      for (const place of (tsuji.layers.loaded.get(it.id) || { places: [] }).places) {
        const choose = () => {
          tsuji.map.goTo([place.at[1], place.at[0]], 16);
          tsuji.state.set({ place: `${it.id}/${place.number}` });
        };
        yield { id: `place/${it.id}/${place.number}`, names: [place.name, place.name_en], label: tsuji.layers.name(place), kind: tsuji.layers.kind(it.kind), choose };
      }
    }
  }

  const areaOf = (set, properties) => ({
    id: `area/${set}/${properties.code}`,
    names: [properties.name, properties.name_en, properties.code],
    readings: tsuji.kana.readings(properties),
    label: (tsuji.page.lang === "ja" ? properties.name : properties.name_en) || properties.name,
    kind: tsuji.t("search.area"),
    choose: () => area(set, properties.code),
  });

  function area(set, code) {
    tsuji.select({ area: code, set });
    if (set === tsuji.catalogue.shapesOf) tsuji.map.goToArea(code);
    else waiting = { set, code };
  }

  function show() {
    const what = asked();
    const { wanted } = what;
    found = [];
    if (wanted) {
      for (const one of candidates()) {
        const place = rank(one, what);
        if (place !== null) found.push({ ...one, place });
      }
      found.sort((a, b) => a.place - b.place || a.label.length - b.label.length || a.label.localeCompare(b.label, tsuji.page.lang));
    }
    const rest = found.length;
    found = found.slice(0, MOST);
    active = found.length ? 0 : -1;
    const rows = found.map(({ label, kind }, i) =>
      make("li", { id: `search-${i}`, role: "option", on: { mousedown: (event) => event.preventDefault(), click: () => choose(i) } }, make("span", { class: "found-name", title: label }, label), make("small", {}, kind)),
    );
    if (wanted && !rows.length) rows.push(make("li", { class: "nothing", role: "option", "aria-disabled": "true" }, tsuji.t("search.none")));
    list.replaceChildren(...rows);
    list.hidden = !wanted;
    field.setAttribute("aria-expanded", String(Boolean(wanted)));
    said.textContent = wanted ? (rest ? tsuji.t("search.found", { n: tsuji.format.number(rest, 0) }) : tsuji.t("search.none")) : "";
    mark();
  }

  /** Names that come late are found, too, where the list is open; what the reader has gone to stays marked. */
  function again() {
    if (!list || list.hidden) return;
    const one = active > 0 ? found[active] : null;
    show();
    if (!one) return;
    active = found.findIndex(({ id }) => id === one.id); // none where it is not among the first any more
    mark();
  }

  function mark() {
    list.querySelectorAll("[role=option]").forEach((row, i) => {
      row.setAttribute("aria-selected", String(i === active));
      if (i === active) row.scrollIntoView({ block: "nearest" });
    });
    if (active >= 0) field.setAttribute("aria-activedescendant", `search-${active}`);
    else field.removeAttribute("aria-activedescendant");
  }

  function shut() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function choose(i) {
    const one = found[i];
    if (!one) return;
    field.value = one.label;
    shut();
    one.choose();
  }

  function key(event) {
    if (event.isComposing) return; // Enter takes what an input method offers
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show();
      else if (found.length) active = (active + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (list.hidden) show();
      else choose(active);
    } else if (event.key === "Escape" && (field.value || !list.hidden)) {
      event.preventDefault();
      event.stopPropagation();
      if (list.hidden) field.value = "";
      shut();
    }
  }

  tsuji.on("boot", build);
  for (const event of ["things", "shapes", "layers"]) tsuji.on(event, again);
  tsuji.on("shapes", (shapes) => {
    if (!shapes || !waiting || waiting.set !== tsuji.catalogue.shapesOf) return;
    const { code } = waiting;
    waiting = null;
    requestAnimationFrame(() => tsuji.map.goToArea(code));
  });
})();
