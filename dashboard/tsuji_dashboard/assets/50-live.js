// The live stream, and past moments in its stead. It always says how it stands with the connection.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const SILENCE_MS = 35000; // the relay beats every 10 s
  const HIDDEN_MS = 60000;
  const TOGETHER_MS = 10000;

  let source = null;
  let set = null;
  let at = null;
  let retry = null;
  let heard = 0;
  let asked = 0;

  const live = {
    status: "connecting", // connecting | live | limited | away | lost | past | past_failed | unknown
    asleep: false, // whether the stream rests because nobody looks
  };

  function become(status) {
    if (status === live.status) return;
    live.status = status;
    tsuji.tell("connection", status);
  }

  function close() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  const stream = () => `/hub/live?area_set=${encodeURIComponent(set)}`;

  function receive(event, action) {
    heard = Date.now();
    const body = JSON.parse(event.data);
    if (body.time) tsuji.clock.learn(body.time);
    action(body);
  }

  function open() {
    close();
    const opened = new EventSource(stream());
    source = opened;
    heard = Date.now();
    opened.addEventListener("state", (event) =>
      receive(event, (body) => become(body.api === "connecting" ? "connecting" : body.api)),
    );
    opened.addEventListener("snapshot", (event) => receive(event, (body) => tsuji.data.load(body)));
    opened.addEventListener("change", (event) => receive(event, (body) => tsuji.data.merge(body)));
    opened.addEventListener("derived", (event) => tsuji.data.mergeDerived(JSON.parse(event.data)));
    opened.addEventListener("alert", () => tsuji.tell("alert"));
    opened.addEventListener("beat", (event) =>
      receive(event, () => {
        if (live.status === "live") tsuji.data.asOf = tsuji.clock.now();
      }),
    );
    opened.addEventListener("error", () => {
      if (source !== opened) return;
      // The browser tries again by itself unless it was refused outright.
      if (opened.readyState === EventSource.CLOSED) refused(opened);
      else become("lost");
    });
  }

  /** The stream was refused: ask why, since an EventSource doesn't say. */
  async function refused(mine) {
    if (live.status !== "limited") become("lost"); // the answer may take its time
    const enough = new AbortController();
    const answer = await fetch(stream(), { signal: enough.signal }).catch(() => null);
    enough.abort(); // were it a stream now
    if (source !== mine) return;
    if (!answer || answer.status !== 429) {
      become("lost");
      retry = setTimeout(open, 2000);
      return;
    }
    const wait = Number(answer.headers.get("Retry-After")) || 30;
    tsuji.clock.learn(answer.headers.get("Date"));
    become("limited");
    close();
    retry = setTimeout(open, wait * 1000);
    ask();
  }

  /** What is so now, without a stream: where too many are open from here, the page asks now and then. */
  async function ask() {
    if (document.hidden) return;
    const mine = asked;
    // All who ask within ten seconds ask about the same moment, and share the answer.
    const now = new Date(Math.floor(tsuji.clock.now() / TOGETHER_MS) * TOGETHER_MS).toISOString();
    const of = (what) =>
      fetch(`/hub/area-sets/${encodeURIComponent(set)}/${what}?at=${encodeURIComponent(now)}`).then((found) => (found.ok ? found.json() : null));
    const [body, derived] = await Promise.all([of("snapshot"), of("derived")]).catch(() => []);
    if (mine !== asked || live.status !== "limited") return;
    if (body) tsuji.data.load(body);
    if (derived) tsuji.data.mergeDerived(derived);
  }

  const MOMENTS = 48; // that are kept, of what the reader has been shown or may be next
  const moments = new Map(); // address -> promise of its answer

  /** What was at a moment: asked for once. */
  function moment(what, when) {
    const where = `/hub/area-sets/${encodeURIComponent(set)}/${what}?at=${encodeURIComponent(when)}`;
    if (!moments.has(where)) {
      const answer = fetch(where).then((found) => {
        if (!found.ok) throw new Error(`${where}: ${found.status}`);
        return found.json();
      });
      answer.catch(() => moments.delete(where));
      moments.set(where, answer);
      if (moments.size > MOMENTS) moments.delete(moments.keys().next().value);
    }
    return moments.get(where);
  }

  /** Have a moment ready before it is looked at. */
  live.prepare = (when) => {
    moment("snapshot", when).catch(() => null);
    if (tsuji.figure().derived) moment("derived", when).catch(() => null);
  };

  async function past() {
    close();
    const mine = ++asked;
    if (live.status !== "past") become("connecting");
    document.body.classList.add("stale");
    try {
      const body = await moment("snapshot", at);
      const derived = tsuji.figure().derived ? await moment("derived", at).catch(() => null) : null;
      if (mine !== asked) return;
      tsuji.data.clear();
      tsuji.data.load(body);
      if (derived) tsuji.data.mergeDerived(derived);
      document.body.classList.remove("stale");
      become("past");
      tsuji.tell("moment", at);
      derivedThen();
    } catch {
      if (mine !== asked) return;
      document.body.classList.remove("stale");
      tsuji.data.clear();
      become("past_failed");
      tsuji.tell("moment", at);
      retry = setTimeout(past, 5000);
    }
  }

  /** Whether derived figures are looked at: they colour the map, or say how usual counts are once time stands still. */
  const derivedWanted = () => tsuji.page && (tsuji.figure().derived || (tsuji.figure().id === "footfall" && !tsuji.timeline.moving));

  let again = null;

  /** Derived figures of a past moment: asked for where they are looked at, once the map is of that moment. */
  async function derivedThen() {
    clearTimeout(again);
    if (!at || live.status !== "past" || tsuji.data.derivedAt || !derivedWanted()) return;
    if (document.body.classList.contains("stale")) return;
    const mine = asked;
    try {
      const body = await moment("derived", at);
      if (mine === asked) tsuji.data.mergeDerived(body);
    } catch {
      if (mine === asked) again = setTimeout(derivedThen, 5000);
    }
  }
  tsuji.on("state", (changed) => changed.has("figure") && derivedThen());
  tsuji.on("calm", derivedThen);

  /** The API can't even be asked what there is to follow. */
  live.nothing = () => {
    if (!set) become("away");
  };

  /** Nothing is followed: the page is of a past moment that it has got elsewhere. */
  live.rest = () => {
    close();
    set = null;
    become("past");
  };

  /** Follow an area set, live or at a past moment. */
  live.follow = (nextSet, nextAt) => {
    if (nextSet === set && nextAt === at) return;
    // From one past moment to another the map stays as it is until there is something to show instead.
    if (nextSet !== set || !nextAt || !at) tsuji.data.clear();
    set = nextSet;
    at = nextAt;
    asked += 1;
    document.body.classList.remove("stale");
    live.asleep = false;
    if (at) {
      past();
    } else {
      become("connecting");
      open();
    }
  };

  // A tab that nobody sees needs no stream: browsers allow only six to one host.
  let hiddenSince = null;
  document.addEventListener("visibilitychange", () => {
    hiddenSince = document.hidden ? Date.now() : null;
    if (!document.hidden && live.asleep) {
      live.asleep = false;
      open();
    }
  });

  setInterval(() => {
    if (source && hiddenSince && Date.now() - hiddenSince > HIDDEN_MS) {
      close();
      live.asleep = true;
    }
    if (source && Date.now() - heard > SILENCE_MS) {
      become("lost");
      open();
    }
  }, 5000);

  tsuji.live = live;
})();
