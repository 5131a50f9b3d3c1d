// Choosing a past moment.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;

  tsuji.on("boot", () => {
    const home = tsuji.byId("time");
    const field = make("input", { type: "datetime-local", id: "time-field", required: true });
    const form = make(
      "form",
      {
        on: {
          submit(event) {
            event.preventDefault();
            const moment = tsuji.format.fromLocal(field.value);
            if (Number.isNaN(moment.getTime())) return;
            tsuji.state.set({ at: moment.toISOString().replace(".000Z", "Z") });
          },
        },
      },
      make("label", { for: "time-field" }, tsuji.t("time.hint")),
      field,
      make("button", { type: "submit" }, tsuji.t("time.show")),
    );
    const { at } = tsuji.state.get();
    const details = make(
      "details",
      {
        open: Boolean(at) && window.innerWidth > 860,
        on: {
          toggle() {
            const now = tsuji.clock.now();
            field.max = tsuji.format.local(now);
            if (!field.value) field.value = tsuji.format.local(at ? Date.parse(at) : now - 3600e3);
          },
        },
      },
      make("summary", {}, tsuji.t("time.label")),
      form,
    );
    home.replaceChildren(details);
  });
})();
