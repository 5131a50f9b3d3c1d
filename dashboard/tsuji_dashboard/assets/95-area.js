// The page of an area: what its address asks for, its theme, and the buttons of its header.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const query = () => new URLSearchParams(window.location.search);

  function theme() {
    const asked = query().get("theme");
    if (asked === "dark" || asked === "light") return asked;
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function address(more) {
    const parts = query();
    for (const [key, value] of Object.entries(more)) {
      if (value) parts.set(key, value);
      else parts.delete(key);
    }
    return `?${parts}`.replace(/%2C/g, ",").replace(/%3A/g, ":");
  }

  function apply() {
    document.documentElement.dataset.theme = theme();
    document.body.classList.add("page-area");
    window.dash_clientside.set_props("theme", { forceColorScheme: theme() });
    const home = `/${address({ compare: null, range: null })}`;
    for (const link of document.querySelectorAll("[data-does=to-map]")) link.href = home;
    const language = document.querySelector("[data-does=language]");
    language.href = address({ lang: language.hreflang });
    const button = document.querySelector("[data-does=theme]");
    const said = button.dataset[theme()];
    button.title = said;
    button.setAttribute("aria-label", said);
  }

  function told() {
    const parts = query();
    return {
      set: parts.get("set"),
      area: parts.get("area"),
      at: parts.get("at") ? parts.get("at").replace(" ", "+") : null,
      range: parts.get("range") || "24h",
      compare: (parts.get("compare") || "").split(",").filter(Boolean),
      lang: document.documentElement.lang,
      theme: theme(),
    };
  }

  function wire() {
    document.querySelector("[data-does=print]").addEventListener("click", () => window.print());
    document.querySelector("[data-does=theme]").addEventListener("click", () => {
      window.history.replaceState(null, "", address({ theme: theme() === "dark" ? "light" : "dark" }));
      apply();
      window.dash_clientside.set_props("area-ask", { data: told() });
    });
  }

  tsuji.on("to-live", () => {
    if (tsuji.page) return;
    window.history.pushState(null, "", address({ at: null }));
    apply();
    tsuji.area.follow(told());
    tsuji.area.ask("whole");
  });
  window.addEventListener("popstate", () => {
    if (tsuji.page || !tsuji.language) return;
    apply();
    tsuji.area.follow(told());
    tsuji.area.ask("whole");
  });

  tsuji.area = { told };

  /** The table behind a chart, made of the rows that came with it. */
  function fill(home) {
    const [head, ...rows] = JSON.parse(home.dataset.rows);
    const cell = (tag, scope, text) => {
      const made = document.createElement(text || tag === "td" ? tag : "td");
      if (scope && text) made.scope = scope;
      made.textContent = text;
      return made;
    };
    const row = (cells) => {
      const made = document.createElement("tr");
      made.append(...cells);
      return made;
    };
    const table = document.createElement("table");
    table.createTHead().append(row(head.map((it) => cell("th", "col", it))));
    table.createTBody().append(...rows.map((its) => row(its.map((it, i) => (i ? cell("td", null, it) : cell("th", "row", it))))));
    home.replaceChildren(table);
  }

  document.addEventListener(
    "toggle",
    ({ target }) => {
      const home = target.open && target.querySelector(":scope > [data-rows]");
      if (home && !home.firstChild) fill(home);
    },
    true,
  );
  tsuji.on("area-boot", () => tsuji.keepPlace(document.querySelector("main"), () => query().get("area")));

  window.dash_clientside = Object.assign(window.dash_clientside || {}, {
    tsujiArea: {
      /** What the address asks for. */
      begin(language) {
        tsuji.language = language;
        wire();
        apply();
        const first = told();
        tsuji.tell("area-boot");
        tsuji.area.follow(first);
        return [first, first.range, first.compare];
      },
      /** What the reader chooses beside that. */
      choose(range, compare) {
        const now = told();
        const chosen = (compare || []).join(",");
        if (now.range === range && now.compare.join(",") === chosen) return window.dash_clientside.no_update;
        window.history.replaceState(null, "", address({ range: range === "24h" ? null : range, compare: chosen }));
        apply();
        document.body.dataset.chosen = ""; // what is over time says that it is on its way
        tsuji.area.follow(told());
        return told();
      },
    },
  });
})();
