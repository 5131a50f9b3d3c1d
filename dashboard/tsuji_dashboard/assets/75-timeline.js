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
  let newest = 0; // the moment that the slider has as now
  let calm = null;
  let next = null;

  const floor = (ms) => Math.floor(ms / STEP_MS) * STEP_MS;
  const rfc = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

  /** The days on the slider: the last ones, or those about a moment that is long past. */
  function span() {
    const { at } = tsuji.state.get();
    newest = floor(tsuji.clock.now());
    const moment = at ? Date.parse(at) : newest;
    const end = moment < newest - SPAN_MS ? floor(moment) + SPAN_MS / 2 : newest;
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
    const days = [];
    let free = room; // up to where there is room, from the newest day on
    for (const ms of midnights().reverse()) {
      const part = (ms - from) / (to - from);
      const ends = (1 - part) * room < needed;
      const left = part * room - (ends ? needed : 0);
      if (left + needed > free) continue;
      free = left;
      const element = make("span", ends ? { class: "ends" } : {}, tsuji.format.day(ms, whole));
      element.style.left = `${part * 100}%`;
      days.unshift(element);
    }
    ticks.replaceChildren(...days);
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
    slider = make("input", { type: "range", id: "timeline-slider", min: 0, max: 1, step: 1, "aria-label": `${tsuji.t("timeline.slider")} (${tsuji.t("detail.timezone")})`, on: { input: slid } });
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

  /** Go to a moment, or to now, which is null. */
  function go(ms) {
    tsuji.state.set({ at: ms === null ? null : rfc(ms) });
    timeline.moving = true;
    settle();
  }

  /** Time stands still a moment later, unless it goes on by itself. */
  function settle() {
    clearTimeout(calm);
    calm = setTimeout(() => {
      timeline.moving = timeline.playing;
      if (!timeline.moving) tsuji.tell("calm");
    }, CALM_MS);
  }

  function slid() {
    const chosen = from + Number(slider.value) * STEP_MS;
    // By the slider as the reader sees it: what the hub's clock says may have gone back a little since.
    const isNow = chosen >= newest;
    pause();
    go(isNow ? null : chosen);
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
    if (timeline.moving) settle(); // a picture may have taken longer than it takes to settle
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
  tsuji.on("connection", () => tsuji.page && show()); // by now the hub's time is known
  setInterval(() => tsuji.page && !document.hidden && show(), 5000);

  tsuji.timeline = timeline;
})();
