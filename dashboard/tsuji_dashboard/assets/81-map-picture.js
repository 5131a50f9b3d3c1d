// The map as a picture: what the reader sees between the cards, beside its legend, below its title.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const SIDE = 268; // the legend's width
  const LEAST = 420; // of the map, narrower than which the legend stands below it

  /** The part of the map that no card covers, in pixels of its container. */
  function opening() {
    const { clientWidth, clientHeight } = tsuji.map.map().getContainer();
    if (window.innerWidth <= 860) return { x: 0, y: 0, width: clientWidth, height: clientHeight };
    const [left] = tsuji.map.padding().paddingTopLeft;
    const open = ["detail", "side"].some((id) => !tsuji.byId(id).hidden);
    const right = open ? tsuji.map.padding().paddingBottomRight[0] - 12 : 0;
    const x = Math.max(0, left - 12);
    return { x, y: 0, width: Math.max(320, clientWidth - x - right), height: clientHeight };
  }

  const at = (latlng) => tsuji.map.map().latLngToContainerPoint(latlng);

  /** All rings of a polygon or of several, as points. */
  function rings(latlngs) {
    return Array.isArray(latlngs[0]) ? latlngs.flatMap(rings) : [latlngs.map(at)];
  }

  function hatch(pen, look) {
    const { canvas, pen: stripes } = tsuji.picture.sheet(4, 4);
    stripes.fillStyle = look["hatch-paper"];
    stripes.fillRect(0, 0, 4, 4);
    stripes.strokeStyle = look["hatch-stripe"];
    stripes.lineWidth = 1.4;
    for (const shift of [-4, 0, 4]) {
      stripes.beginPath();
      stripes.moveTo(shift - 1, 5);
      stripes.lineTo(shift + 5, -1);
      stripes.stroke();
    }
    const pattern = pen.createPattern(canvas, "repeat");
    pattern.setTransform(new DOMMatrix().scale(0.5)); // it was drawn for the file's pixels
    return pattern;
  }

  /** Fill and stroke the path that was begun, as Leaflet's options say. */
  function paint(pen, options, pattern) {
    if (options.fillColor) {
      pen.globalAlpha = options.fillOpacity;
      pen.fillStyle = options.fillColor.startsWith("url(") ? pattern : options.fillColor;
      pen.fill("evenodd");
    }
    pen.globalAlpha = options.opacity;
    pen.strokeStyle = options.color;
    pen.lineWidth = options.weight;
    pen.setLineDash(options.dashArray ? options.dashArray.split(" ").map(Number) : []);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  function shape(pen, { x, y }, radius, kind) {
    pen.beginPath();
    if (kind === "circle") {
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      return;
    }
    const corners = kind === "diamond" ? [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]] : [[-1, -1], [1, -1], [1, 1], [-1, 1]];
    corners.forEach(([dx, dy]) => pen.lineTo(x + dx * radius, y + dy * radius));
    pen.closePath();
  }

  /** The tiles that are on the screen, asked for once more in the way in which a picture may hold them. */
  async function tiles() {
    const box = tsuji.map.map().getContainer().getBoundingClientRect();
    const shown = [...tsuji.map.map().getPane("tilePane").querySelectorAll("img.leaflet-tile-loaded")];
    return Promise.all(
      shown.map(async (tile) => {
        const { left, top, width, height } = tile.getBoundingClientRect();
        return { image: await tsuji.picture.loaded(tile.src, true), x: left - box.left, y: top - box.top, width, height };
      }),
    );
  }

  function base(pen, found, dark) {
    if (dark) pen.filter = "invert(1) hue-rotate(180deg) brightness(0.82) contrast(0.9)";
    for (const { image, x, y, width, height } of found) pen.drawImage(image, x, y, width, height);
    pen.filter = "none";
  }

  function areas(pen, look) {
    const pattern = hatch(pen, look);
    const chosen = tsuji.state.get().area;
    const all = [...tsuji.map.areas].sort(([a], [b]) => (a === chosen) - (b === chosen));
    for (const [, layer] of all) {
      pen.beginPath();
      for (const ring of rings(layer.getLatLngs())) {
        ring.forEach(({ x, y }, i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
        pen.closePath();
      }
      paint(pen, layer.options, pattern);
    }
  }

  function things(pen) {
    for (const layer of tsuji.map.things.values()) {
      shape(pen, at(layer.getLatLng()), layer.getRadius(), layer.options.shape);
      paint(pen, layer.options, null);
    }
  }

  /** Places of open data, as they stand on the screen: single ones and gathered ones. */
  function places(pen, look) {
    const box = tsuji.map.map().getContainer().getBoundingClientRect();
    for (const mark of tsuji.map.map().getContainer().querySelectorAll(".place-mark .place-dot")) {
      const { left, top, width, height } = mark.getBoundingClientRect();
      const [x, y] = [left - box.left, top - box.top];
      pen.beginPath();
      pen.roundRect(x, y, width, height, 6);
      pen.fillStyle = mark.style.background;
      pen.fill();
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 1.5;
      pen.stroke();
      pen.fillStyle = "#ffffff";
      pen.font = `700 11px ${look.font}`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(mark.textContent, x + width / 2, y + height / 2);
    }
  }

  /** How long a round number of metres is, at the lower right. */
  function scale(pen, look, { width, height }) {
    const line = tsuji.map.map().getContainer().querySelector(".leaflet-control-scale-line");
    if (!line) return;
    const long = line.getBoundingClientRect().width;
    const [x, y] = [width - long - 14, height - 14];
    pen.fillStyle = look.paper;
    pen.globalAlpha = 0.75;
    pen.fillRect(x - 6, y - 20, long + 12, 26);
    pen.globalAlpha = 1;
    pen.strokeStyle = look.ink;
    pen.lineWidth = 1.2;
    pen.beginPath();
    pen.moveTo(x, y - 5);
    pen.lineTo(x, y);
    pen.lineTo(x + long, y);
    pen.lineTo(x + long, y - 5);
    pen.stroke();
    pen.fillStyle = look.ink;
    pen.font = `400 11px ${look.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.fillText(line.textContent, x + long / 2, y - 6);
  }

  // --- the legend --------------------------------------------------------------------------------

  function swatch(fill, dashed) {
    return {
      width: 26,
      draw(pen, x, y) {
        pen.fillStyle = typeof fill === "function" ? fill(pen, x) : fill;
        pen.fillRect(x, y - 7, 26, 14);
        pen.strokeStyle = "rgb(0 0 0 / 25%)";
        pen.lineWidth = 0.5;
        if (dashed) Object.assign(pen, { strokeStyle: dashed, lineWidth: 2.5 });
        pen.setLineDash(dashed ? [7, 4] : []);
        pen.strokeRect(x, y - 7, 26, 14);
        pen.setLineDash([]);
      },
    };
  }

  function dot(kind, filled, look) {
    return {
      width: 26,
      draw(pen, x, y) {
        shape(pen, { x: x + 13, y }, 5, kind);
        pen.fillStyle = filled ? look.ink : look.paper;
        pen.fill();
        pen.strokeStyle = look.ink;
        pen.lineWidth = 1.5;
        pen.setLineDash(filled ? [] : [2, 2]);
        pen.stroke();
        pen.setLineDash([]);
      },
    };
  }

  function legend(width, look) {
    const { paragraph, gap } = tsuji.picture;
    const figure = tsuji.figure();
    const colours = figure.colours[tsuji.state.get().theme];
    const last = figure.labels.length - 1;
    const ends = { 0: figure.low, [last]: figure.high };
    const rows = figure.labels.map((label, i) => {
      const word = figure.words[i] || (figure.words.length ? "" : ends[i] || "");
      return paragraph([label, word].filter(Boolean).join("  "), width, { size: 12, mark: swatch(colours[i]) });
    });
    const pale = (pen, x) => {
      const fade = pen.createLinearGradient(x, 0, x + 26, 0);
      [0.2, 0.5, 0.8].forEach((part) => fade.addColorStop(part, colours[Math.floor(part * colours.length)]));
      return fade;
    };
    const key = (label, mark) => paragraph(label, width, { size: 12, colour: look.soft, mark });
    const alerted = [...tsuji.map.areas.keys()].some((code) => tsuji.alerts.of({ area: code }).length);
    const kinds = new Set([...tsuji.map.things.values()].map(({ options }) => options.shape));
    return [
      ...(figure.turns ? rows : rows.reverse()),
      gap(8),
      key(tsuji.t("legend.none"), swatch((pen) => hatch(pen, look))),
      key(tsuji.t("legend.no_sensor"), swatch(getComputedStyle(document.documentElement).getPropertyValue("--blank").trim())),
      ...(figure.estimates ? [key(tsuji.t("legend.estimated"), { width: 26, draw: (pen, x, y) => faint(pen, () => swatch(pale).draw(pen, x, y)) })] : []),
      ...(alerted ? [key(tsuji.t("legend.alert"), swatch("transparent", tsuji.paint.look().alert))] : []),
      ...(kinds.has("diamond") ? [key(tsuji.t("legend.pole"), dot("diamond", true, look))] : []),
      ...(kinds.has("circle") ? [key(tsuji.t("legend.counter"), dot("circle", true, look))] : []),
      ...(kinds.has("square") ? [key(tsuji.t("legend.other"), dot("square", true, look))] : []),
      key(tsuji.t("legend.silent"), dot("circle", false, look)),
      gap(8),
      paragraph(figure.note, width, { size: 11, colour: look.soft }),
    ];
  }

  function faint(pen, draw) {
    pen.globalAlpha = tsuji.paint.pale();
    draw();
    pen.globalAlpha = 1;
  }

  // --- all of it ---------------------------------------------------------------------------------

  const nameOf = (set) => (set ? (tsuji.page.lang === "ja" ? set.name : set.name_en) || set.name || set.id : "");

  function when() {
    const { at: then } = tsuji.state.get();
    const ms = then ? Date.parse(then) : tsuji.clock.now();
    return { ms, said: tsuji.t("area.as_of", { time: tsuji.format.dateTime(ms) }) };
  }

  /** The map as a canvas. */
  async function draw() {
    const { PAD, look: looks, sheet, paragraph, gap, stack, height } = tsuji.picture;
    const look = looks();
    const figure = tsuji.figure();
    const { set, area, theme } = tsuji.state.get();
    const seen = opening();
    const beside = seen.width >= LEAST;
    const inner = beside ? SIDE + PAD + seen.width : seen.width;
    const shownSet = nameOf((tsuji.catalogue.sets || []).find(({ id }) => id === set));
    const chosen = area && tsuji.catalogue.area.get(area);
    let found = [];
    let lost = false;
    try {
      found = tsuji.tiles.shown() ? await tiles() : [];
    } catch {
      lost = true;
    }
    const credits = [...tsuji.byId("credit").children].map((it) => it.textContent).filter((it) => it !== "Leaflet" && !(lost && it === tsuji.t("credit.tiles"))); // which drew nothing here
    if (lost) credits.push(tsuji.t("credit.tiles_left_out"));
    const head = [
      paragraph(`${figure.label}${figure.unit ? ` (${figure.unit})` : ""}`, inner, { size: 20, weight: 700 }),
      paragraph([shownSet, chosen && tsuji.format.areaName(chosen), when().said].filter(Boolean).join(" · "), inner, { colour: look.soft }),
      gap(12),
    ];
    const keys = legend(beside ? SIDE : inner, look);
    const foot = [gap(10), paragraph([...credits, `Tsuji · ${window.location.host}`].join(" · "), inner, { size: 11, colour: look.soft })];
    const middle = beside ? Math.max(seen.height, height(keys)) : seen.height + 14 + height(keys);
    const whole = [inner + 2 * PAD, height(head) + middle + height(foot) + 2 * PAD];
    const { canvas, pen } = sheet(...whole);
    pen.fillStyle = look.paper;
    pen.fillRect(0, 0, ...whole);
    const top = stack(pen, head, PAD, PAD);
    stack(pen, keys, PAD, beside ? top : top + seen.height + 14);
    pen.save();
    pen.translate(beside ? PAD + SIDE + PAD : PAD, top);
    pen.beginPath();
    pen.rect(0, 0, seen.width, seen.height);
    pen.clip();
    pen.fillStyle = look.ground;
    pen.fillRect(0, 0, seen.width, seen.height);
    pen.save();
    pen.translate(-seen.x, -seen.y);
    base(pen, found, theme === "dark");
    areas(pen, look);
    things(pen);
    places(pen, look);
    pen.restore();
    scale(pen, look, seen);
    pen.strokeStyle = look.line;
    pen.lineWidth = 1;
    pen.strokeRect(0.5, 0.5, seen.width - 1, seen.height - 1);
    pen.restore();
    stack(pen, foot, PAD, top + middle);
    return canvas;
  }

  /** What the file of this view is called, without its ending. */
  function name() {
    const { set, area, figure } = tsuji.state.get();
    return tsuji.picture.fileName(set, area, figure, tsuji.picture.stamp(when().ms));
  }

  tsuji.mapPicture = { draw, name, save: async () => tsuji.picture.save(await draw(), `${name()}.png`) };
})();
