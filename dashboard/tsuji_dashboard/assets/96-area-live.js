// The page of an area lives by the stream: numbers are written as they come, and what only the server can
// say is asked for after news. Nobody who is reading is disturbed: what is as it was stays untouched.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const REST_MS = 20000; // between two questions for what is made of the values
  const SETTLE_MS = 45000; // until the sums of a quarter of an hour that has ended are ready
  const WHOLE_MS = 300000; // between two questions for all that is over time, where there is news
  const LONGEST_MS = 900000; // days go by without news as well
  const QUARTER_MS = 900000;
  const FAILED_MS = 5000;

  let shown = null; // what the address asks for
  let last = ""; // the values that were there when the page was last asked for
  let told = ""; // those of now
  let asked = 0;
  let askedWhole = 0;
  let broken = false; // whether the API was away since

  /** Be live, or rest at a past moment. */
  tsuji.area.follow = (next) => {
    if (!next.area || !next.set) return;
    const other = !shown || shown.set !== next.set || shown.at !== next.at;
    shown = next;
    last = "";
    asked = askedWhole = Date.now();
    if (!other) return;
    Object.assign(tsuji.state.get(), { set: next.set, at: next.at });
    if (next.at) tsuji.live.rest();
    else tsuji.live.follow(next.set, null);
  };

  /** Ask for all, or only for what is of this moment. */
  tsuji.area.ask = (part) => {
    asked = Date.now();
    if (part === "whole") askedWhole = asked;
    last = told;
    delete document.body.dataset.chosen;
    window.dash_clientside.set_props("area-ask", { data: { ...tsuji.area.told(), part, asked } });
  };

  const known = () => [shown.area, ...shown.compare].map((code) => tsuji.data.areas.get(code) || null);

  function write(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  /** Write the values of now, as the server does (area_views.py). */
  function fill() {
    if (!shown || shown.at) return;
    const figures = tsuji.data.areas.get(shown.area) || {};
    for (const element of document.querySelectorAll(".now [data-figure]")) {
      const key = element.dataset.figure;
      const now = figures[key];
      if (!now) continue; // it has just gone: the server says why
      const what = { decimals: Number(element.dataset.decimals), turns: key === "wind_from_direction" };
      const guessed = now.estimated ? "≈ " : "";
      write(element, now.value === null ? "–" : guessed + tsuji.format.value(what, now.value));
      const foot = document.querySelector(`.now [data-figure-time="${key}"]`);
      if (now.time) write(foot, tsuji.format.dateTime(Date.parse(now.time)));
    }
    if (tsuji.data.asOf) write(document.querySelector(".as-of-time"), tsuji.format.dateTime(tsuji.data.asOf));
  }

  /** What is due: `whole`, `now` or nothing. */
  function due() {
    const now = Date.now();
    if (document.querySelector("#area-told [data-again]")) return now - asked > FAILED_MS && "whole";
    if (shown.at || !["live", "limited"].includes(tsuji.live.status)) return null;
    if (broken) return "whole";
    const quarter = Math.floor((now - SETTLE_MS) / QUARTER_MS) > Math.floor((askedWhole - SETTLE_MS) / QUARTER_MS);
    const news = last !== told;
    if ((news && (quarter || now - askedWhole > WHOLE_MS)) || now - askedWhole > LONGEST_MS) return "whole";
    return news && now - asked > REST_MS && "now";
  }

  setInterval(() => {
    if (!shown || !tsuji.language) return;
    fill();
    const part = !document.hidden && due();
    // Somebody is looking at a number of a chart: it waits.
    if (!part || document.querySelector(".graph:hover")) return;
    broken = false;
    tsuji.area.ask(part);
  }, 1000);

  tsuji.on("connection", (status) => {
    if (status === "away" || status === "lost") broken = true;
  });
  tsuji.on("values", ({ areas }) => {
    if (!shown || shown.at || ![shown.area, ...shown.compare].some((code) => areas.has(code))) return;
    told = JSON.stringify([...known(), tsuji.data.derived.get(shown.area) || null]);
    if (!last) last = told;
    fill();
  });
  // The server has written what it knew; the stream may know better by now.
  tsuji.on("area-boot", () => {
    new MutationObserver(fill).observe(tsuji.byId("area-body"), { childList: true, subtree: true });
  });
})();
