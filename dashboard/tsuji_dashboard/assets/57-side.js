// The panel beside the map that isn't about one area or thing: opens, closes, keeps its content fresh.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const contents = new Map(); // name -> function that makes the elements
  let before = null; // what had the focus before it opened

  const side = {
    add: (name, content) => contents.set(name, content),
    /** Make the content anew, where that panel is open; what is focused or scrolled stays so. */
    refresh(name) {
      const home = tsuji.byId("side-body");
      if (!home || tsuji.state.get().panel !== name) return;
      const aside = tsuji.byId("side");
      const focused = [...home.querySelectorAll("button, summary, h2")].indexOf(document.activeElement);
      const opened = [...home.querySelectorAll("details")].map(({ open }) => open);
      const { scrollTop } = aside;
      home.replaceChildren(make("div", { class: "detail-head" }, make("h2", { tabindex: "-1" }, tsuji.t(name))), ...contents.get(name)());
      home.querySelectorAll("details").forEach((it, i) => (it.open = opened[i] || it.open));
      aside.scrollTop = scrollTop;
      const again = home.querySelectorAll("button, summary, h2")[focused];
      if (focused >= 0 && again) again.focus({ preventScroll: true });
    },
  };

  function show() {
    const { panel } = tsuji.state.get();
    const aside = tsuji.byId("side");
    const opening = panel && aside.hidden;
    aside.hidden = !panel;
    document.body.classList.toggle("with-side", Boolean(panel));
    for (const name of contents.keys()) tsuji.byId(`${name}-button`).setAttribute("aria-expanded", String(panel === name));
    if (!panel) {
      if (before && before.isConnected && aside.dataset.name) before.focus({ preventScroll: true });
      before = null;
      aside.dataset.name = "";
      return;
    }
    if (opening) before = document.activeElement;
    aside.dataset.name = panel;
    aside.setAttribute("aria-label", tsuji.t(panel));
    aside.scrollTop = 0;
    side.refresh(panel);
    tsuji.byId("side-body").querySelector("h2").focus({ preventScroll: true });
  }

  tsuji.on("boot", () => {
    tsuji.byId("side-close").addEventListener("click", () => tsuji.state.set({ panel: null }));
    for (const name of ["alerts", "health"]) {
      tsuji.byId(`${name}-button`).addEventListener("click", () => {
        tsuji.state.set({ panel: tsuji.state.get().panel === name ? null : name });
      });
    }
    if (tsuji.state.get().panel) queueMicrotask(show);
  });
  tsuji.on("state", (changed) => changed.has("panel") && tsuji.page && show());
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !tsuji.page || !tsuji.state.get().panel) return;
      event.stopImmediatePropagation();
      tsuji.state.set({ panel: null });
    },
    true,
  );

  tsuji.side = side;
})();
