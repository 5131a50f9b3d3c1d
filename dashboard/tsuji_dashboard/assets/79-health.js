// The state of the data: what is silent, stuck, flagged or rejected, how late, and whether counts add up.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const AGAIN_MS = 15000;
  const MOST = 40;

  let known = null; // {health, rejected, quality}
  let failed = false;
  let timer = null;

  async function get(where) {
    const answer = await fetch(where);
    // A hub that is down says so with 503, in the same form.
    if (!answer.ok && answer.status !== 503) throw new Error(`${where}: ${answer.status}`);
    return answer.json();
  }

  async function load() {
    clearTimeout(timer);
    if (tsuji.state.get().panel !== "health") return;
    try {
      const health = await get("/hub/health");
      const [rejected, quality] = health.status === "down" ? [{}, {}] : await Promise.all([get("/hub/rejected"), get("/hub/quality")]);
      known = { health, rejected: rejected.items || [], quality: quality.items || [] };
      failed = false;
    } catch {
      failed = true;
    }
    tsuji.side.refresh("health");
    timer = setTimeout(load, AGAIN_MS);
  }

  const n = (value) => tsuji.format.number(value, 0);

  function table(head, rows) {
    const cell = (tag, value, i) => make(tag, { class: i ? "num" : null, scope: tag === "th" ? (i === 0 ? "row" : null) : null }, value);
    return make(
      "table",
      {},
      head ? make("thead", {}, make("tr", {}, ...head.map((it, i) => make("th", { scope: "col", class: i ? "num" : null }, it)))) : null,
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((it, i) => cell(i ? "td" : "th", it, i))))),
    );
  }

  const section = (title, ...parts) => make("section", {}, make("h3", {}, title), ...parts);
  const why = (key) => make("p", { class: "why" }, tsuji.t(key));

  function overall({ status, ingest, database, alerts, history }) {
    const rows = [];
    if (ingest && ingest.last_stored_at) rows.push([tsuji.t("health.stored"), tsuji.format.since(ingest.last_stored_at)]);
    for (const one of (ingest && ingest.processes) || []) {
      const said = one.state === "silent" ? tsuji.t("health.silent_ingest", { age: tsuji.format.since(one.seen_at) }) : typeof one.lag_s === "number" ? tsuji.t("health.seconds", { n: tsuji.format.number(one.lag_s, 2) }) : "–";
      rows.push([`${tsuji.t("health.lag")} · ${one.id}`, said]);
    }
    if (database && database.edition) rows.push([tsuji.t("health.database"), database.edition]);
    if (alerts) rows.push([tsuji.t("health.evaluator"), tsuji.t(`health.evaluator.${alerts.state}`, { n: n(alerts.rules) })]);
    if (history) {
      const since = history.observations_since;
      rows.push([tsuji.t("health.kept"), since ? tsuji.t("health.kept_since", { time: tsuji.format.dateTime(Date.parse(since)) }) : tsuji.t("health.kept_all")]);
    }
    const parts = [make("p", { class: `verdict ${status}` }, tsuji.t(`health.${status}`)), table(null, rows)];
    if (alerts && alerts.problem) parts.push(make("p", { class: "odd" }, alerts.problem));
    return make("section", {}, ...parts);
  }

  /** Received = stored + duplicate + corrected + rejected + waiting. */
  function reconciliation(ingest) {
    const parts = ["stored", "duplicate", "corrected", "rejected", "waiting"];
    const names = { stored: "stored_n", rejected: "rejected_n" };
    const differ = ingest.received - parts.reduce((sum, part) => sum + ingest[part], 0);
    const rows = [[tsuji.t("health.received"), n(ingest.received)], ...parts.map((part) => [`– ${tsuji.t(`health.${names[part] || part}`)}`, n(ingest[part])])];
    const verdict = make("p", { class: `verdict ${differ ? "degraded" : "ok"}` }, differ ? tsuji.t("health.differ", { n: n(differ) }) : tsuji.t("health.equal"));
    return section(tsuji.t("health.reconciliation"), table(null, rows), verdict);
  }

  function figures() {
    const rows = [];
    for (const figure of tsuji.page.figures) {
      const values = [...(figure.derived ? tsuji.data.derived : tsuji.data.areas).values()]
        .map((its) => its[figure.id])
        .filter((it) => it && typeof it.value === "number");
      const guessed = values.filter((it) => it.estimated).length;
      const newest = figure.derived ? tsuji.data.derivedAt : values.map(({ time }) => time).filter(Boolean).sort().at(-1);
      rows.push([figure.label, n(values.length), guessed ? n(guessed) : "–", values.length && newest ? tsuji.format.since(newest) : "–"]);
    }
    return section(tsuji.t("health.figures"), table([tsuji.t("figure"), tsuji.t("health.areas"), tsuji.t("health.guessed"), tsuji.t("health.newest")], rows));
  }

  function go(id, ...parts) {
    const open = () => {
      tsuji.state.set({ panel: null });
      tsuji.select({ thing: id });
    };
    return make("li", {}, tsuji.catalogue.things.has(id) ? make("button", { type: "button", on: { click: open } }, ...parts) : make("div", { class: "row" }, ...parts));
  }

  function name(id) {
    const thing = tsuji.catalogue.things.get(id);
    return make("span", { class: "thing-name" }, thing ? tsuji.format.thingName(thing.properties) : id || tsuji.t("health.nameless"));
  }

  const code = (said) => make("span", { class: "code" }, said);

  function listed(items, empty) {
    if (!items.length) return [why(empty)];
    const rest = items.length - MOST;
    return [make("ul", { class: "alerts" }, ...items.slice(0, MOST)), ...(rest > 0 ? [make("p", { class: "note" }, tsuji.t("health.more", { n: n(rest) }))] : [])];
  }

  function silent() {
    const items = [...tsuji.data.things.values()]
      .filter(({ state }) => state === "silent" || state === "waiting")
      .sort((a, b) => (b.last_observed_at || "").localeCompare(a.last_observed_at || ""))
      .map(({ id, last_observed_at: heard }) => go(id, name(id), code(heard ? tsuji.t("last_heard", { age: tsuji.format.since(heard) }) : tsuji.t("never_heard"))));
    return section(tsuji.t("health.things"), ...listed(items, "health.no_things"));
  }

  function flagged(quality) {
    const items = quality.map(({ thing, observed_property: property, flag, since, result }) => {
      const what = tsuji.page.properties[property] || { label: property, unit: "", decimals: 1 };
      const said = tsuji.page.words[`health.${flag}`] ? tsuji.t(`health.${flag}`, { age: tsuji.format.since(since) }) : flag;
      return go(thing, name(thing), code(`${what.label} ${tsuji.format.value(what, result)} ${what.unit} · ${said}`));
    });
    return section(tsuji.t("health.flagged"), ...listed(items, "health.no_flagged"));
  }

  function refused(rejected) {
    const items = [...rejected]
      .sort((a, b) => b.messages - a.messages)
      .map(({ thing, reason, messages, last_received_at: last }) => {
        const why = tsuji.page.words[`reason.${reason}`] || reason;
        return go(thing, name(thing), code(`${why} · ${tsuji.t("detail.refused_n", { n: n(messages) })} · ${tsuji.t("health.last", { age: tsuji.format.since(last) })}`));
      });
    return section(tsuji.t("health.rejected"), ...listed(items, "health.no_rejected"));
  }

  function panel() {
    if (failed) return [make("p", { class: "verdict down" }, tsuji.t("health.away"))];
    if (!known) return [make("p", { class: "why" }, "…")];
    const { health, rejected, quality } = known;
    return [overall(health), ...(health.ingest ? [reconciliation(health.ingest), silent(), flagged(quality), refused(rejected), figures()] : [])];
  }

  tsuji.on("boot", () => {
    tsuji.side.add("health", panel);
    if (tsuji.state.get().panel === "health") load();
  });
  tsuji.on("state", (changed) => changed.has("panel") && load());
})();
