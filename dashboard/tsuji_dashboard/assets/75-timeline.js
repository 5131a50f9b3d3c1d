// Travel in time: a slider over the last days and a button that lets them pass; live is one click back.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const { make } = tsuji;
  const STEP_MS = 900e3; // of the slider
  const FRAME_MS = 1800e3; // that pass with each picture
  const PICTURE_MS = 600; // how long each is shown at the least
  const SPAN_MS = 3 * 86400e3;
  const CALM_MS = 700; // after the last move of the slider time stands still

  const timeline = { moving: false, playing: false };
  let slider = null;
  let label = null;
  let button = null;
  let back = null;
  let ticks = null;
  let from = 0;
  let to = 0;
  let calm = null;
  let next = null;

  const floor = (ms) => Math.floor(ms / STEP_MS) * STEP_MS;
  const rfc = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

  /** The days on the slider: the last ones, or those about a moment that is long past. */
  function span() {
    const { at } = tsuji.state.get();
    const now = floor(tsuji.clock.now());
    const moment = at ? Date.parse(at) : now;
    const end = moment < now - SPAN_MS ? floor(moment) + SPAN_MS / 2 : now;
    if (to === end) return;
    [from, to] = [end - SPAN_MS, end];
    slider.max = String(SPAN_MS / STEP_MS);
    mark();
  }

  /** The days below the slider: with their weekday where there is room, the last one never cut off. */
  function mark() {
    const room = ticks.clientWidth;
    const whole = room > 420;
    const needed = whole ? 70 : 40;
    ticks.replaceChildren(
      ...midnights().map((ms) => {
        const part = (ms - from) / (to - from);
        const ends = (1 - part) * room < needed;
        const element = make("span", ends ? { class: "ends" } : {}, tsuji.format.day(ms, whole));
        element.style.left = `${part * 100}%`;
        return element;
      }),
    );
  }

  /** Midnights in Tokyo (UTC+9, no clock changes). */
  function midnights() {
    const day = 86400e3;
    const first = Math.ceil((from + 9 * 3600e3) / day) * day - 9 * 3600e3;
    return [0, 1, 2, 3].map((i) => first + i * day).filter((ms) => ms < to - day / 8);
  }

  function build() {
    const home = tsuji.byId("timeline");
    button = make("button", { type: "button", class: "icon play", on: { click: () => (timeline.playing ? pause() : play()) } });
    slider = make("input", { type: "range", min: 0, max: 1, step: 1, "aria-label": `${tsuji.t("timeline.slider")} (${tsuji.t("detail.timezone")})`, on: { input: slid } });
    label = make("output", { class: "moment" });
    back = make("button", { type: "button", class: "live-button", on: { click: live } }, tsuji.t("banner.past_button"));
    ticks = make("div", { class: "ticks", "aria-hidden": "true" });
    home.replaceChildren(button, make("div", { class: "track" }, slider, ticks), make("div", { class: "told" }, label, back));
    new ResizeObserver(() => to && mark()).observe(ticks);
    show();
  }

  function show() {
    if (!slider) return;
    const { at } = tsuji.state.get();
    span();
    const moment = at ? Date.parse(at) : to;
    const place = String(Math.round((moment - from) / STEP_MS));
    if (slider.value !== place) slider.value = place;
    const said = at ? tsuji.format.dateTime(moment) : tsuji.t("timeline.now");
    if (label.textContent !== said) label.textContent = said;
    slider.setAttribute("aria-valuetext", said);
    back.hidden = !at;
    const does = tsuji.t(timeline.playing ? "timeline.pause" : "timeline.play");
    if (button.title !== does) {
      button.title = does;
      button.setAttribute("aria-label", does);
      button.classList.toggle("pause", timeline.playing);
    }
  }

  /** Go to a moment; the last one of the slider is now. */
  function go(ms) {
    const now = floor(tsuji.clock.now());
    tsuji.state.set({ at: ms >= now ? null : rfc(ms) });
    timeline.moving = true;
    clearTimeout(calm);
    calm = setTimeout(() => (timeline.moving = timeline.playing), CALM_MS);
  }

  function slid() {
    const chosen = from + Number(slider.value) * STEP_MS;
    pause();
    go(chosen);
  }

  function live() {
    pause();
    timeline.moving = false;
    tsuji.state.set({ at: null });
  }

  function play() {
    timeline.playing = true;
    const { at } = tsuji.state.get();
    const begin = at ? Date.parse(at) : floor(tsuji.clock.now()) - 86400e3;
    if (at) onward();
    else go(begin);
    show();
  }

  function pause() {
    clearTimeout(next);
    timeline.playing = false;
    show();
  }

  function onward() {
    const { at } = tsuji.state.get();
    clearTimeout(next);
    if (!timeline.playing || !at) return;
    const then = Date.parse(at) + FRAME_MS;
    const now = floor(tsuji.clock.now());
    if (then < now) tsuji.live.prepare(rfc(then));
    next = setTimeout(() => {
      if (!timeline.playing) return;
      if (then >= now) live();
      else go(then);
    }, PICTURE_MS);
  }

  tsuji.on("boot", build);
  tsuji.on("moment", onward); // a picture is there: the next one may come
  tsuji.on("state", (changed) => {
    if (!changed.has("at") || !slider) return;
    if (!tsuji.state.get().at && timeline.playing) pause();
    show();
  });
  setInterval(() => tsuji.page && !document.hidden && show(), 5000);

  tsuji.timeline = timeline;
})();
