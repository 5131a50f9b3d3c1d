// Before the map is printed: how large it was drawn, and of when it is, which a sheet of paper must say.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const SHEET_PX = [720, 620]; // what the map may take of A4 upright, within its margins

  window.addEventListener("beforeprint", () => {
    const map = tsuji.page && tsuji.byId("map");
    if (!map) return;
    const look = document.documentElement.style;
    look.setProperty("--print-width", `${map.clientWidth}px`);
    look.setProperty("--print-height", `${map.clientHeight}px`);
    look.setProperty("--print-zoom", String(Math.min(1.5, SHEET_PX[0] / map.clientWidth, SHEET_PX[1] / map.clientHeight)));
    const { at } = tsuji.state.get();
    const time = tsuji.format.dateTime(at ? Date.parse(at) : tsuji.clock.now());
    document.querySelector("header").dataset.printed = tsuji.t("area.as_of", { time });
  });
})();
