// The map within another site's page: its title, the way to the whole map, and what a shape says when chosen.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  let popup = null;
  let closing = false;

  const embedded = () => Boolean(tsuji.page && tsuji.page.embed);

  function address(more) {
    const { theme, themeAsked } = tsuji.state.get();
    return `/?${tsuji.address.query({ lang: tsuji.page.lang, theme: themeAsked ? theme : null, ...more })}`;
  }

  function head() {
    const figure = tsuji.figure();
    const set = (tsuji.catalogue.sets || []).find(({ id }) => id === tsuji.state.get().set);
    const home = set && ((tsuji.page.lang === "ja" ? set.name : set.name_en) || set.name);
    tsuji.byId("embed-title").textContent = [figure.label, home].filter(Boolean).join(" · ");
    tsuji.byId("embed-open").href = address({});
  }

  function close() {
    if (!popup) return;
    closing = true;
    popup.remove();
    popup = null;
    closing = false;
  }

  /** What is known of the chosen shape, and the way to more of it. */
  function tell() {
    close();
    const map = tsuji.map.map();
    const { area, thing } = tsuji.state.get();
    const layer = area ? tsuji.map.areas.get(area) : thing ? tsuji.map.things.get(thing) : null;
    if (!map || !layer) return;
    tsuji.map.hush();
    const shut = tsuji.t("detail.close");
    const content = make(
      "div",
      { class: "tip", tabindex: "-1" },
      make("button", { type: "button", class: "icon cross", title: shut, "aria-label": shut, on: { click: () => tsuji.select({}) } }),
      area ? tsuji.tips.area(layer) : tsuji.tips.thing(layer),
      make("p", {}, make("a", { href: address({ area, thing }), target: "_blank", rel: "noopener" }, tsuji.t("embed.more"))),
    );
    popup = window.L.popup({ closeButton: false, className: "place-popup", maxWidth: 260 });
    popup.setLatLng(layer.getBounds ? layer.getBounds().getCenter() : layer.getLatLng()).setContent(content);
    popup.on("remove", () => !closing && tsuji.select({}));
    popup.openOn(map);
    content.focus({ preventScroll: true });
  }

  tsuji.on("boot", () => {
    if (!embedded()) return;
    document.body.classList.add("page-embed");
    tsuji.byId("embed-legend").open = window.innerWidth > 560 && window.innerHeight > 360;
    head();
  });
  tsuji.on("sets", () => embedded() && head());
  tsuji.on("shapes", () => embedded() && !popup && tell());
  tsuji.on("map", (map) => {
    if (!embedded()) return;
    // Who scrolls through the other site's page must not get stuck here.
    map.scrollWheelZoom.disable();
    map.on("focus click", () => map.scrollWheelZoom.enable());
    map.on("blur", () => map.scrollWheelZoom.disable());
    tell();
  });
  tsuji.on("state", (changed) => {
    if (!embedded()) return;
    if (changed.has("set") || changed.has("figure") || changed.has("view") || changed.has("area")) head();
    if (changed.has("area") || changed.has("thing")) tell();
  });
})();
