// How it stands with the data: live or not, how old, which sensors speak; always on the screen.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const ARCHIVE_MS = 60 * 86400e3; // what has not spoken for so long is no failure, but a record of its time
  const shown = {}; // status line's parts
  const remarks = new Map(); // subject -> text, of what isn't about the connection
  let lost = 0; // since when the connection is gone

  function build() {
    const home = tsuji.byId("status");
    if (!home) return;
    shown.word = make("span", { class: "word" });
    shown.age = make("span", { class: "age", "aria-hidden": "true" });
    shown.home = home;
    home.replaceChildren(make("span", { class: "dot", "aria-hidden": "true" }), shown.word, shown.age);
    tick();
    counts();
  }

  function word() {
    const status = tsuji.live.status;
    if (status === "past_failed") return "past";
    return status === "unknown" ? "connecting" : status;
  }

  function write(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function tick() {
    if (!shown.word) return;
    const { newest } = tsuji.data;
    const { at } = tsuji.state.get();
    shown.home.dataset.status = word();
    write(shown.word, tsuji.t(`live.${word()}`));
    let said = "";
    if (at) said = tsuji.format.dateTime(Date.parse(at));
    else if (newest) said = tsuji.t("live.newest", { age: tsuji.format.age((tsuji.clock.now() - newest) / 1000) });
    else if (tsuji.live.status === "live") said = tsuji.t("live.no_data");
    write(shown.age, said);
    banner();
  }

  function counts() {
    const home = tsuji.byId("counts");
    if (!home) return;
    const n = { live: 0, silent: 0, waiting: 0, archive: 0 };
    const old = tsuji.clock.now() - ARCHIVE_MS;
    for (const { state, last_observed_at: heard } of tsuji.data.things.values()) {
      const archived = state === "silent" && !tsuji.state.get().at && Date.parse(heard) < old;
      if (state in n) n[archived ? "archive" : state] += 1;
    }
    const said = (state) => (state === "live" && tsuji.state.get().at ? "then" : state);
    const parts = Object.entries(n)
      .filter(([state, count]) => count || state === "live")
      .map(([state, count]) => make("span", { class: `count ${state}` }, tsuji.t(`counts.${said(state)}`, { n: tsuji.format.number(count, 0) })));
    home.hidden = !tsuji.data.things.size;
    home.replaceChildren(...parts);
  }

  /** The one banner: what the reader must know before trusting the colours. */
  function message() {
    const { status } = tsuji.live;
    const { asOf } = tsuji.data;
    const { at } = tsuji.state.get();
    if (at && status.startsWith("past")) {
      const time = tsuji.format.dateTime(Date.parse(at));
      const said = tsuji.t(status === "past_failed" ? "banner.past_failed" : "banner.past", { time });
      return { kind: "past", text: [said, ...remarks.values()].join(" ") };
    }
    if (status === "limited") {
      return { kind: "limited", text: [tsuji.t("banner.limited"), ...remarks.values()].join(" ") };
    }
    if (status === "away" || status === "lost") {
      if (Date.now() - lost < 1500) return null; // a stream that is renewed is no trouble
      if (!asOf) return { kind: "away", text: tsuji.t("banner.away_empty") };
      const fields = { time: tsuji.format.time(asOf), age: tsuji.format.age((tsuji.clock.now() - asOf) / 1000) };
      return { kind: "away", text: tsuji.t(`banner.${status}`, fields) };
    }
    return remarks.size ? { kind: [...remarks.keys()].join(" "), text: [...remarks.values()].join(" ") } : null;
  }

  function banner() {
    const home = tsuji.byId("banner");
    if (!home) return;
    const said = message();
    const kind = said ? said.kind : "";
    home.hidden = !said;
    if (!said) home.replaceChildren();
    // Said once when it comes, not with every second that its age counts.
    if ((home.dataset.kind || "") !== kind) write(tsuji.byId("announcement"), said ? said.text : "");
    if (!said) {
      home.dataset.kind = "";
      return;
    }
    if (home.dataset.kind !== kind || !home.firstChild) {
      home.dataset.kind = kind;
      const back = make("button", { type: "button", on: { click: () => tsuji.tell("to-live") } }, tsuji.t("banner.past_button"));
      home.replaceChildren(make("span", {}), ...(said.kind === "past" ? [back] : []));
    }
    write(home.firstChild, said.text);
  }

  tsuji.status = {
    /** Show a remark about a subject until there is another one or null. */
    remark(subject, key, fields) {
      if (key) remarks.set(subject, tsuji.t(key, fields));
      else remarks.delete(subject);
      banner();
    },
  };

  for (const event of ["boot", "area-boot"]) tsuji.on(event, build);
  tsuji.on("to-live", () => tsuji.page && tsuji.state.set({ at: null }));
  tsuji.on("connection", (status) => {
    if (status === "away" || status === "lost") lost = lost || Date.now();
    else lost = 0;
    tick();
  });
  tsuji.on("state", (changed) => changed.has("at") && tick());
  tsuji.on("values", counts);
  setInterval(() => tsuji.language && tick(), 1000);
})();
