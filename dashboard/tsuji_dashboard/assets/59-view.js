// What of the map is seen between the cards, and what of it is worth to be seen at first.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const EDGE = 85; // degrees of latitude, beyond which Mercator's map has no room

  /** Where the one card of the embeddable map lies: beside it there is room, or it covers what it must. */
  function besideLegend({ width }) {
    const { right } = document.querySelector(".controls").getBoundingClientRect();
    const room = width - right > 300;
    return { paddingTopLeft: [room ? right + 8 : 12, 12], paddingBottomRight: [56, 28] };
  }

  /** How far cards cover a map, which lies in `element`, from each side. */
  function room(element) {
    const box = element.getBoundingClientRect();
    if (tsuji.page.embed) return besideLegend(box);
    const wide = window.innerWidth > 860;
    const sheets = ["detail", "side"].map(tsuji.byId).filter(({ hidden }) => !hidden);
    const open = sheets.length > 0;
    const bar = tsuji.byId("timeline").getBoundingClientRect();
    const low = bar.height ? box.bottom - bar.top : 0;
    if (wide) return { paddingTopLeft: [352, 84], paddingBottomRight: [open ? 452 : 72, Math.max(24, low + 12)] };
    if (window.innerHeight <= 560) return besideCards(box, sheets, low);
    // On a phone the cards leave a strip; where even that is gone, half of the map must do.
    const { top, height } = box;
    const sheet = open ? Math.max(...sheets.map((it) => it.getBoundingClientRect().height)) : low;
    const above = Math.min(document.querySelector(".controls").getBoundingClientRect().bottom - top, height * 0.5);
    const below = Math.min(sheet + 8, height - above - 60);
    return { paddingTopLeft: [12, above + 8], paddingBottomRight: [12, Math.max(12, below)] };
  }

  /** On a phone that lies on its side the cards stand left and right of the map. */
  function besideCards({ width }, sheets, low) {
    const left = sheets.length ? 12 : document.querySelector(".controls").getBoundingClientRect().right + 8;
    const right = sheets.length ? Math.max(...sheets.map((it) => it.getBoundingClientRect().width)) + 16 : 56;
    return { paddingTopLeft: [Math.min(left, width * 0.5), 12], paddingBottomRight: [Math.min(right, width * 0.6), Math.max(12, low + 8)] };
  }

  /** Those where most sensors are, or all where there is none. */
  function core(found) {
    const held = found.filter(({ weight }) => weight);
    if (!held.length) return found;
    const middle = window.L.latLng(median(held, "lat"), median(held, "lng"));
    for (const one of held) one.far = middle.distanceTo(one.centre);
    held.sort((a, b) => a.far - b.far);
    const total = held.reduce((sum, { weight }) => sum + weight, 0);
    let seen = 0;
    let reach = 0;
    for (const { weight, far } of held) {
      if (seen >= total * 0.75) break;
      seen += weight;
      reach = far;
    }
    return held.filter(({ far }) => far <= Math.max(reach * 1.6, 500));
  }

  /** The coordinate that half of the things lie below. */
  function median(held, key) {
    const sorted = [...held].sort((a, b) => a.centre[key] - b.centre[key]);
    const half = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
    let seen = 0;
    return sorted.find(({ weight }) => (seen += weight) >= half).centre[key];
  }

  /** Whether a position is one where sensors stand: not a pole's, nor the zeros of one never set. */
  const isLikely = ({ lat, lng }) => Math.abs(lat) < EDGE && (lat !== 0 || lng !== 0);

  tsuji.view = { EDGE, room, core, isLikely };
})();
