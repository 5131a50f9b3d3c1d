// The detail panel: opens, closes, keeps its numbers live and asks for fresh charts now and then.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const FRESH_MS = 60000;

  let asked = 0; // when the panel's content was last asked for
  let broken = false; // whether the API was away since the content was asked for
  let wantsFocus = false;
  let before = null; // what had the focus before the panel opened
  let wentOn = false; // whether the reader has gone on to something else since the choice

  const chosen = () => {
    const { area, thing } = tsuji.state.get();
    return area ? { kind: "area", id: area } : thing ? { kind: "thing", id: thing } : null;
  };

  /** Select an area, a thing or nothing; the panel follows. */
  tsuji.select = (selection) => {
    const next = { area: selection.area || null, thing: selection.thing || null };
    const state = tsuji.state.get();
    if (next.area === state.area && next.thing === state.thing) return;
    if (next.area || next.thing) {
      wantsFocus = true;
      wentOn = false;
      if (!chosen()) before = document.activeElement;
    }
    tsuji.state.set(selection.set ? { ...next, set: selection.set } : next);
  };

  function ask() {
    const state = tsuji.state.get();
    const selection = chosen();
    const panel = tsuji.byId("detail");
    if (!panel || tsuji.page.embed || (selection && selection.kind === "area" && !state.set)) return;
    const opening = panel.hidden && selection;
    const about = selection ? `${state.set} ${selection.kind} ${selection.id}` : "";
    // Charts come after the rest: those of another area must not stand in for them.
    if (panel.dataset.about !== about) panel.classList.add("waiting");
    panel.dataset.about = about;
    panel.hidden = !selection;
    document.body.classList.toggle("with-detail", Boolean(selection));
    asked = Date.now();
    window.dash_clientside.set_props("selection", {
      data: selection && {
        ...selection,
        set: state.set,
        figure: state.figure,
        at: state.at,
        theme: state.theme,
        lang: tsuji.page.lang,
        asked,
      },
    });
    if (!selection && before && before.isConnected) before.focus({ preventScroll: true });
    if (!selection) before = null;
    if (opening) panel.scrollTop = 0;
  }

  let later = null;

  /** Ask for the panel once time stands still again. */
  function askSoon() {
    clearTimeout(later);
    later = setTimeout(() => (tsuji.timeline.playing ? askSoon() : chosen() && ask()), 500);
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** Fill the spans that the server left empty for us: values, sensors, ages. */
  function fill() {
    const selection = chosen();
    const body = tsuji.byId("detail");
    if (!selection || !body) return;
    // What is there until the answer comes is of another area: its name must not get our numbers.
    const head = body.querySelector("[data-of]");
    if (head && head.dataset.of !== `${selection.kind} ${selection.id}`) return;
    const live = !tsuji.state.get().at;
    const known = selection.kind === "area" ? tsuji.data.areas.get(selection.id) : tsuji.data.things.get(selection.id);
    // A past moment's areas come with the panel, its things with the map.
    const readings = (known && (selection.kind === "thing" ? known.latest : live && known)) || {};
    for (const element of body.querySelectorAll("[data-value]")) {
      const key = element.dataset.figure || element.dataset.property;
      const now = readings[key];
      const held = element.dataset.value === "" ? null : Number(element.dataset.value);
      const value = now ? (now.value === undefined ? now.result : now.value) : held;
      element.parentElement.classList.toggle("suppressed", value === null);
      const what = { decimals: Number(element.dataset.decimals), turns: key === "wind_from_direction" };
      write(element, value === null ? tsuji.t("suppressed") : tsuji.format.value(what, value));
    }
    for (const element of body.querySelectorAll("[data-figure-n]")) {
      const now = readings[element.dataset.figureN];
      const { n, near, far } = element.dataset;
      const estimated = near && { distance_m: Number(near), farthest_m: Number(far) };
      const found = now || { n: Number(n), estimated };
      write(element, found.n ? tsuji.format.madeOf(found) : "");
    }
    for (const element of body.querySelectorAll("[data-usual]")) {
      const usual = selection.kind === "area" ? tsuji.usual(selection.id, tsuji.figure("footfall")) : null;
      element.className = `compared ${usual ? usual.side : ""}`;
      write(element, usual ? usual.text : "");
    }
    for (const element of body.querySelectorAll("[data-figure-age], [data-property-age]")) {
      const now = readings[element.dataset.figureAge || element.dataset.propertyAge];
      const time = (now && now.time) || element.dataset.time;
      write(element, time && live ? tsuji.format.since(time) : "");
    }
    // What looked wrong went with its reading: a leap is one reading's, a stuck value lasts.
    for (const element of body.querySelectorAll("[data-odd]")) {
      const { odd, of, time, result } = element.dataset;
      const now = readings[of];
      element.hidden = Boolean(now) && (odd === "step" ? Date.parse(now.time) !== Date.parse(time) : now.result !== Number(result));
    }
  }

  function arrived() {
    const body = tsuji.byId("detail-body");
    fill();
    const heading = body.querySelector("h2");
    if (!heading || !wantsFocus) return;
    wantsFocus = false;
    body.parentElement.scrollTop = 0;
    // Whoever has gone on meanwhile, or searches on, would be torn away.
    const search = tsuji.byId("search-field");
    const searches = search && search.getAttribute("aria-expanded") === "true";
    if (!searches && !wentOn) heading.focus({ preventScroll: true });
  }

  function follow(event) {
    const link = event.target.closest("a[data-thing], a[data-area]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    tsuji.select({ thing: link.dataset.thing, area: link.dataset.area, set: link.dataset.set });
  }

  tsuji.on("boot", () => {
    const body = tsuji.byId("detail-body");
    const charts = tsuji.byId("detail-charts");
    new MutationObserver(() => tsuji.byId("detail").classList.remove("waiting")).observe(charts, { childList: true });
    const watcher = new MutationObserver((changes) => {
      const filled = changes.every((change) => change.target.matches && change.target.matches("[data-value], [data-figure-n], [data-figure-age], [data-property-age], [data-usual]"));
      if (!filled) arrived();
    });
    watcher.observe(body, { childList: true, subtree: true });
    const about = () => body.querySelector("[data-of]") && body.querySelector("[data-of]").dataset.of;
    tsuji.keepPlace(tsuji.byId("detail"), about);
    tsuji.byId("detail-close").addEventListener("click", () => tsuji.select({}));
    tsuji.byId("detail").addEventListener("click", follow);
    if (chosen()) ask();
  });
  document.addEventListener("pointerdown", () => (wentOn = true), true);
  document.addEventListener("keydown", ({ key }) => (wentOn = wentOn || key === "Tab"), true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !tsuji.page || !chosen()) return;
    const choosing = [...document.querySelectorAll("[role=listbox]")].some((list) => list.offsetParent);
    if (!choosing) tsuji.select({});
  });

  tsuji.on("state", (changed) => {
    if (changed.has("set") && !changed.has("area") && tsuji.state.get().area && tsuji.catalogue.shapesOf) {
      tsuji.state.set({ area: null });
      return;
    }
    if (changed.size === 1 && changed.has("at") && tsuji.timeline.moving) {
      askSoon();
      return;
    }
    if (["area", "thing", "figure", "at", "theme", "set"].some((key) => changed.has(key)) && (chosen() || !tsuji.byId("detail").hidden)) ask();
  });
  tsuji.on("connection", (status) => {
    if (status === "away" || status === "lost" || status === "past_failed") broken = true;
    if (!broken || !["live", "limited", "past"].includes(status)) return;
    broken = false;
    if (chosen()) ask();
  });
  tsuji.on("values", ({ areas, things }) => {
    const selection = chosen();
    if (!selection || !(selection.kind === "area" ? areas : things).has(selection.id)) return;
    fill();
    if (Date.now() - asked > FRESH_MS) ask();
  });
  setInterval(() => tsuji.page && fill(), 1000);
})();
