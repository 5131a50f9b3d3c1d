// Before a page is printed: how large its map was drawn, and of when it is, which a sheet of paper must say;
// and colours for paper, which is white in any theme, where no style sheet reaches them.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const SHEET_PX = [720, 520]; // what the map may take of A4 upright, within its margins

  /** Charts whose cells are a picture, in the colours of paper or of the screen again. */
  function charts(onPaper) {
    for (const chart of document.querySelectorAll(".js-plotly-plot")) {
      const { paper } = (chart.layout && chart.layout.meta) || {};
      if (!paper) continue;
      if (onPaper) chart.onScreen ??= chart.data[0].colorscale;
      if (chart.onScreen) window.Plotly.restyle(chart, { colorscale: [onPaper ? paper : chart.onScreen] });
      if (!onPaper) delete chart.onScreen;
    }
  }

  window.addEventListener("beforeprint", () => {
    charts(true);
    const map = tsuji.page && tsuji.byId("map");
    if (!map) return;
    const look = document.documentElement.style;
    look.setProperty("--print-width", `${map.clientWidth}px`);
    look.setProperty("--print-height", `${map.clientHeight}px`);
    look.setProperty("--print-zoom", String(Math.min(1.5, SHEET_PX[0] / map.clientWidth, SHEET_PX[1] / map.clientHeight)));
    const { at } = tsuji.state.get();
    const time = tsuji.format.dateTime(at ? Date.parse(at) : tsuji.clock.now());
    const list = document.querySelector("#ranking summary");
    if (list) list.dataset.printed = tsuji.t("print.list");
    document.querySelector("header").dataset.printed = tsuji.t("area.as_of", { time });
    if (tsuji.paint.theme() === "dark") tsuji.paint.print(true);
  });
  window.addEventListener("afterprint", () => {
    charts(false);
    if (tsuji.page) tsuji.paint.print(false);
  });
})();
