// To show and to take away: the address of the view, its picture, its table, and the map for other sites.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;

  let dialog = null;
  let link = null;
  let snippet = null;
  let preview = null;
  let said = null;

  /** The embeddable map's address: this view, but for what it doesn't have; smaller, it shows the same. */
  function embedded() {
    const { theme, themeAsked } = tsuji.state.get();
    const kept = { lang: tsuji.page.lang, theme: themeAsked ? theme : null, thing: null, layers: null, place: null, panel: null, view: null, bounds: tsuji.map.extent() };
    return `${window.location.origin}/embed?${tsuji.address.query(kept)}`;
  }

  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");

  function code() {
    const title = tsuji.t("embed.title", { figure: tsuji.figure().label });
    return `<iframe src="${escaped(embedded())}" title="${escaped(title)}" width="100%" height="480" style="border:0" loading="lazy" allow="fullscreen"></iframe>`;
  }

  /** The list of areas as a file: numbers as they are, not as they are written. */
  function table() {
    const figure = tsuji.figure();
    const rows = [["code", "name", "name_en", `${figure.id} (${figure.unit})`, "time", "sensors", "estimated", "withheld"]];
    for (const [code_, { name, name_en: english }] of tsuji.catalogue.area) {
      const found = tsuji.paint.reading(code_) || tsuji.paint.suppressed(code_);
      if (!found) continue;
      const time = figure.derived ? tsuji.data.derivedAt : found.time;
      rows.push([code_, name, english, found.suppressed ? "" : found.value, time || "", found.n || "", found.estimated ? 1 : 0, found.suppressed ? 1 : 0]);
    }
    // What begins like a formula would be one in a spreadsheet: names come from strangers' files.
    const cell = (value) => {
      const text = String(value ?? "");
      const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
      return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
    };
    return `\ufeff${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
  }

  const saveTable = () => tsuji.picture.give(new Blob([table()], { type: "text/csv" }), `${tsuji.mapPicture.name()}.csv`);

  /** Take the text of a field along; where the browser forbids that, it is selected at the least. */
  async function copy(field) {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      tell("share.copied");
    } catch {
      tell(document.execCommand("copy") ? "share.copied" : "share.copy_yourself");
    }
  }

  function tell(key) {
    said.textContent = tsuji.t(key);
  }

  async function picture(button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await tsuji.mapPicture.save();
      tell("share.saved");
    } catch (error) {
      tell("share.failed");
      throw error;
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  function allowed() {
    const { embed_origins: origins } = tsuji.page;
    if (origins === "*") return null;
    return make("p", { class: "note" }, origins === "none" ? tsuji.t("embed.nobody") : tsuji.t("embed.some", { sites: origins.split(" ").join(", ") }));
  }

  function build() {
    const shut = tsuji.t("detail.close");
    link = make("input", { type: "text", readonly: true, id: "share-link", dir: "ltr" });
    snippet = make("textarea", { readonly: true, id: "share-snippet", rows: 5, dir: "ltr", spellcheck: "false" });
    preview = make("a", { target: "_blank", rel: "noopener" }, tsuji.t("embed.preview"));
    said = make("p", { role: "status", class: "said" });
    const button = (key, action, look) => {
      const made = make("button", { type: "button", class: `switch ${look || ""}`, on: { click: () => action(made) } }, tsuji.t(key));
      return made;
    };
    dialog = make(
      "dialog",
      { id: "share", class: "card", "aria-labelledby": "share-title" },
      make("button", { type: "button", class: "icon cross", title: shut, "aria-label": shut, on: { click: () => dialog.close() } }),
      make("h2", { id: "share-title", tabindex: "-1" }, tsuji.t("share")),
      make(
        "section",
        {},
        make("h3", {}, make("label", { for: "share-link" }, tsuji.t("share.address"))),
        make("p", { class: "note" }, tsuji.t("share.address_note")),
        make("div", { class: "copied" }, link, button("share.copy", () => copy(link))),
      ),
      make(
        "section",
        {},
        make("h3", {}, tsuji.t("share.files")),
        make("p", { class: "note" }, tsuji.t("share.files_note")),
        make("div", { class: "files" }, button("share.png", picture, "share-png"), button("share.csv", saveTable, "share-csv")),
      ),
      make(
        "section",
        {},
        make("h3", {}, make("label", { for: "share-snippet" }, tsuji.t("embed"))),
        make("p", { class: "note" }, tsuji.t("embed.note"), " ", preview),
        allowed(),
        make("div", { class: "copied" }, snippet, button("share.copy", () => copy(snippet))),
      ),
      said,
    );
    // A click beside the dialog closes it, as Escape does.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    // The map's own shortcuts must not hear what is typed here.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.querySelector("main").append(dialog);
  }

  function open() {
    if (!dialog) build();
    link.value = `${window.location.origin}/?${tsuji.address.query({ lang: tsuji.page.lang })}`;
    snippet.value = code();
    preview.href = embedded();
    said.textContent = "";
    dialog.showModal();
    dialog.querySelector("h2").focus();
  }

  tsuji.on("boot", () => tsuji.byId("share-button").addEventListener("click", open));

  tsuji.share = { code, table };
})();
