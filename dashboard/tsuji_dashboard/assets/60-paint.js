// From a value to a look, with the bins that the page brought along.
(function () {
  "use strict";
  const tsuji = window.tsuji;

  const LOOKS = {
    light: { line: "#5c6b7e", faint: "#b9c4d0", grey: "#aeb8c4", mark: "#e8590c", alert: "#c92a2a", ink: "#1b2a41", paper: "#ffffff" },
    dark: { line: "#0e141b", faint: "#33414f", grey: "#5b6875", mark: "#ffb454", alert: "#ff6b6b", ink: "#f1f5f9", paper: "#0f161d" },
  };
  const SHAPES = { smart_pole: "diamond", footfall_counter: "circle" };

  function bin(figure, value) {
    if (figure.turns) return Math.floor(((value + 22.5) % 360) / 45);
    let index = 0;
    while (index < figure.edges.length && value >= figure.edges[index]) index += 1;
    return index;
  }

  let paper = false; // whether it is for a sheet of paper, which is light whatever the theme

  const theme = () => (paper ? "light" : tsuji.state.get().theme);

  const colour = (figure, value) => figure.colours[theme()][bin(figure, value)];

  /** What an area has of the chosen figure, or null. */
  function reading(code) {
    const figure = tsuji.figure();
    const figures = (figure.derived ? tsuji.data.derived : tsuji.data.areas).get(code);
    const found = figures && figures[figure.id];
    return found && typeof found.value === "number" ? found : null;
  }

  /** What is said of an area in which people were counted, too few to be told of; null of others. */
  function suppressed(code) {
    const figure = tsuji.figure();
    const told = !figure.derived && (tsuji.data.areas.get(code) || {})[figure.id];
    return told && told.suppressed ? told : null;
  }

  const look = () => LOOKS[theme()];

  /** How pale an estimated value is beside a measured one; on dark ground less, for it to be seen at all. */
  const pale = () => (theme() === "dark" ? 0.66 : 0.45);

  /** How an area looks, as Leaflet path options; `hatched` where the renderer can. */
  function area(properties, { chosen, svg, tiles }) {
    const { line, faint, grey, mark, alert } = look();
    const found = reading(properties.code);
    const style = { color: line, weight: 0.8, opacity: 0.55, dashArray: null, fillOpacity: tiles ? 0.7 : 0.88 };
    if (found) {
      style.fillColor = colour(tsuji.figure(), found.value);
      if (found.estimated) Object.assign(style, { fillOpacity: style.fillOpacity * pale(), dashArray: "2 3" });
    } else if (properties.things) {
      style.fillColor = svg ? "url(#tsuji-hatch)" : grey;
      style.fillOpacity = svg ? 1 : 0.4;
    } else {
      style.fillColor = grey;
      style.fillOpacity = tiles ? 0.04 : 0.07;
      style.color = faint;
      style.opacity = 0.6;
    }
    if (tsuji.alerts.of({ area: properties.code }).length) {
      Object.assign(style, { color: alert, weight: 2.5, opacity: 1, dashArray: "7 4" });
    }
    if (chosen) Object.assign(style, { color: mark, weight: 3.5, opacity: 1, dashArray: null });
    return style;
  }

  /** What a thing says of the chosen figure, or null where it says nothing in the same unit. */
  function spoken(id) {
    const figure = tsuji.figure();
    const thing = tsuji.data.things.get(id);
    const latest = thing && thing.latest && thing.latest[figure.id];
    return figure.newest && latest && typeof latest.result === "number" ? latest : null;
  }

  /** How a thing looks: shape by kind, filled while live, dimmed when it doesn't measure the figure. */
  function thing(feature, chosen) {
    const { ink, paper, grey, alert, mark } = look();
    const { id, kind } = feature.properties;
    const known = tsuji.data.things.get(id);
    const state = known ? known.state : "unknown";
    const properties = Object.keys((known && known.latest) || feature.properties.latest || {});
    const measures = tsuji.figure().properties.some((property) => properties.includes(property));
    const style = {
      radius: measures ? 5 : 3.5,
      color: paper,
      weight: 1.4,
      opacity: 1,
      fillOpacity: 1,
      fillColor: ink,
      dashArray: null,
      shape: SHAPES[kind] || "square",
    };
    const latest = spoken(id);
    if (state === "live") {
      if (latest) Object.assign(style, { fillColor: colour(tsuji.figure(), latest.result), color: "#10202f", radius: 6 });
      if (!measures) Object.assign(style, { fillOpacity: 0.55, opacity: 0.7 });
    } else {
      Object.assign(style, { fillColor: paper, color: ink, weight: 1.6 });
      if (state === "silent") style.dashArray = "2 2";
      if (state === "unknown") Object.assign(style, { fillColor: grey, color: paper, weight: 1, radius: 3.5 });
    }
    if (tsuji.alerts.of({ thing: id }).length) {
      Object.assign(style, { color: alert, weight: 2.5, opacity: 1, fillOpacity: 1, radius: style.radius + 2 });
    }
    if (chosen) Object.assign(style, { color: mark, weight: 3, radius: style.radius + 3, dashArray: null });
    return style;
  }

  /** Paint for a sheet of paper, or for the screen again. */
  function print(wanted) {
    paper = wanted;
    document.body.classList.toggle("on-paper", wanted);
    tsuji.tell("paper");
  }

  tsuji.paint = { theme, print, bin, colour, reading, suppressed, spoken, look, pale, area, thing, SHAPES };
})();
