// The base map, only where its server can be reached: otherwise a quiet background and no broken tiles.
(function () {
  "use strict";
  const tsuji = window.tsuji;
  const AGAIN_MS = 300000;
  const PATIENCE_MS = 8000;

  let missed = false; // whether they were asked for in vain

  let map = null;
  let layer = null;

  function address(z, x, y) {
    return tsuji.page.tiles.replace("{z}", z).replace("{x}", x).replace("{y}", y).replace("{s}", "a");
  }

  /** Ask for one tile (all of Japan) before asking for hundreds. */
  function probe() {
    if (!map || layer || !tsuji.page.tiles) return;
    const image = new Image();
    const miss = () => {
      missed = true;
      tsuji.tell("tiles");
    };
    const timer = setTimeout(() => {
      image.src = "";
      miss();
    }, PATIENCE_MS);
    image.onload = () => {
      clearTimeout(timer);
      show();
    };
    image.onerror = () => {
      clearTimeout(timer);
      setTimeout(probe, AGAIN_MS);
      miss();
    };
    image.src = address(5, 28, 12);
  }

  function show() {
    if (layer) return;
    layer = window.L.tileLayer(tsuji.page.tiles, { minZoom: 3, maxNativeZoom: 18, maxZoom: 18 });
    layer.addTo(map);
    map.getContainer().classList.add("tiled");
    tsuji.tell("tiles");
  }

  window.addEventListener("online", probe);

  tsuji.tiles = {
    shown: () => layer !== null,
    /** Whether there should be some and their server can't be reached. */
    missed: () => missed && layer === null,
    attach(made) {
      map = made;
      layer = null;
      probe();
    },
  };
})();
