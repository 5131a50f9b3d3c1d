// Words, numbers, times and ages in the reader's language; every time is Tokyo's.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const zone = "Asia/Tokyo";
  const numbers = new Map();
  const KEPT_MS = 60000; // for which a message counts in what is known of the hub's time
  const ahead = []; // how far this machine's clock is ahead of the hub's, in ms, and when that was seen: the least first

  /** The text of `key` with its {fields} filled in. */
  function t(key, fields) {
    const words = tsuji.language.words[key];
    if (words === undefined) throw new Error(`no text for ${key}`);
    return words.replace(/\{(\w+)\}/g, (_, name) => String(fields[name]));
  }

  function number(value, decimals) {
    const key = decimals || 0;
    if (!numbers.has(key)) {
      numbers.set(
        key,
        new Intl.NumberFormat(tsuji.language.lang, {
          minimumFractionDigits: key,
          maximumFractionDigits: key,
          signDisplay: "negative",
        }),
      );
    }
    return numbers.get(key).format(value).replace("-", "−");
  }

  /** A figure's value without its unit; directions get their name as well. */
  function value(what, amount) {
    if (!Number.isFinite(amount)) return "–";
    if (what.names && what.names.length) return what.names[tsuji.paint.bin(what, amount)];
    const shown = number(amount, what.decimals);
    if (!what.turns) return shown;
    const sector = Math.floor(((amount + 22.5) % 360) / 45);
    return `${t(`compass.short.${sector}`)} ${shown}`;
  }

  function age(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 1) return t("age.now");
    if (s < 60) return t("age.s", { n: s });
    if (s < 3600) return t("age.min", { n: Math.floor(s / 60) });
    if (s < 172800) return t("age.h", { n: Math.floor(s / 3600) });
    return t("age.d", { n: Math.floor(s / 86400) });
  }

  /** A name within a sentence: one that runs from right to left must not turn the sentence round. */
  const isolated = (name) => (/[\u0590-\u08ff\u202a-\u202e\u2066-\u2069]/.test(name) ? `\u2068${name}\u2069` : name);

  const parts = (date, options) =>
    new Intl.DateTimeFormat(tsuji.language.lang, { timeZone: zone, hourCycle: "h23", ...options }).format(date);

  tsuji.t = t;
  /** Publishers, licences and sources, one after the other: in the reader's language, marked where they are not. */
  function credits(...names) {
    const home = document.createElement("span");
    for (const name of names.filter(Boolean)) {
      const said = tsuji.language.words[`credited.${name}`] || name;
      const foreign = tsuji.language.lang !== "ja" && /[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]/.test(said);
      home.append(...(home.childNodes.length ? [" · "] : []), foreign ? tsuji.make("span", { lang: "ja" }, said) : said);
    }
    return home;
  }

  tsuji.format = {
    credits,
    isolated,
    number,
    value,
    age,
    /** How long ago an RFC 3339 time was, in words. */
    since: (time) => age((tsuji.clock.now() - Date.parse(time)) / 1000),
    time: (ms) => parts(ms, { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    /** Date and time as the server writes them (charts.py): with the year where it isn't this one. */
    dateTime(ms) {
      const year = (moment) => parts(moment, { year: "numeric" }).replace("年", "");
      const shown = year(ms) === year(tsuji.clock.now()) ? "" : year(ms);
      const clock = parts(ms, { hour: "2-digit", minute: "2-digit" });
      if (tsuji.language.lang === "ja") {
        return `${shown && `${shown}年`}${parts(ms, { month: "long", day: "numeric" })} ${clock}`;
      }
      const [day, month] = [parts(ms, { day: "numeric" }), parts(ms, { month: "short" })];
      return `${day} ${month} ${shown && `${shown} `}${clock}`;
    },
    /** A day, short; with its weekday where there is room. */
    day: (ms, roomy) => parts(ms, { month: "numeric", day: "numeric", ...(roomy ? { weekday: "short" } : {}) }),
    /** The Tokyo wall clock as a datetime-local field takes it. */
    local(ms) {
      return new Date(ms + 9 * 3600e3).toISOString().slice(0, 16);
    },
    fromLocal: (text) => new Date(`${text}:00+09:00`),
    sensors: (n) => (n === 1 ? t("sensors.one") : t("sensors", { n: number(n, 0) })),
    /** What a value is made of: so many sensors, and how far away they are where they stand elsewhere. */
    madeOf(found) {
      const sensors = found.n ? tsuji.format.sensors(found.n) : "";
      if (!found.estimated) return sensors;
      const km = (metres) => number(metres / 1000, 1);
      const ends = [km(found.estimated.distance_m), km(found.estimated.farthest_m)];
      const distance = `${[...new Set(ends)].join("–")} km`;
      return sensors ? t("estimated", { sensors, distance }) : t("estimated.inputs", { distance });
    },
    /** Whether an area has no name of its own, only its code: a mesh cell. */
    isMesh: ({ name, code }) => !name || name.includes(code),
    /** What an area is called; a mesh cell by what stands in it, if anything does. */
    areaName(properties) {
      const near = tsuji.catalogue.near.get(properties.code);
      if (near) return t("near", { name: isolated(tsuji.format.thingName(near)) });
      if (tsuji.format.isMesh(properties)) return t("mesh", { code: properties.code });
      return (tsuji.language.lang === "ja" ? properties.name : properties.name_en) || properties.name;
    },
    /** The code of an area, where its name doesn't already say it. */
    areaCode(properties) {
      if (!tsuji.format.isMesh(properties)) return properties.code;
      return tsuji.catalogue.near.has(properties.code) ? t("mesh", { code: properties.code }) : "";
    },
    thingName: (properties) =>
      (tsuji.language.lang === "ja" ? properties.name : properties.name_en) || properties.name || properties.id,
    kind: (kind) => tsuji.language.words[`kind.${kind}`] || kind,
  };

  tsuji.clock = {
    /** The hub's time as well as we know it, in ms: a reader's clock may be wrong. */
    now: () => Date.now() - (ahead.length ? ahead[0].ms : 0),
    /**
     * Learn from a message that was made at `time` and has just arrived. The quickest of the last minute tells best;
     * not of all, since either clock may be put right.
     */
    learn(time) {
      const ms = Date.now() - Date.parse(time);
      if (!Number.isFinite(ms)) return;
      const seen = performance.now();
      while (ahead.length && ahead.at(-1).ms >= ms) ahead.pop();
      ahead.push({ ms, seen });
      while (ahead[0].seen < seen - KEPT_MS) ahead.shift();
    },
  };
})();
