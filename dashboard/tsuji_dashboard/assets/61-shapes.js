// Markers beside Leaflet's circle, drawn alike by its SVG and its canvas renderer.
(function () {
  "use strict";
  const tsuji = window.tsuji;

  function corners(shape, r) {
    return shape === "diamond"
      ? [[0, -r * 1.25], [r * 1.25, 0], [0, r * 1.25], [-r * 1.25, 0]]
      : [[-r, -r], [r, -r], [r, r], [-r, r]];
  }

  /** A circle marker whose option `shape` may also be diamond or square. */
  tsuji.makeMarker = function (latlng, options) {
    const L = window.L;
    if (!L.SVG.prototype.tsujiMarker) {
      L.SVG.include({
        tsujiMarker(layer) {
          const p = layer._point;
          const path = layer._empty()
            ? "M0 0"
            : `M${corners(layer.options.shape, layer._radius).map(([x, y]) => `${p.x + x} ${p.y + y}`).join("L")}Z`;
          this._setPath(layer, path);
        },
      });
      L.Canvas.include({
        tsujiMarker(layer) {
          if (!this._drawing || layer._empty()) return;
          const p = layer._point;
          this._ctx.beginPath();
          for (const [x, y] of corners(layer.options.shape, layer._radius)) this._ctx.lineTo(p.x + x, p.y + y);
          this._ctx.closePath();
          this._fillStroke(this._ctx, layer);
        },
      });
      tsuji.Marker = L.CircleMarker.extend({
        _updatePath() {
          if (this.options.shape === "circle") this._renderer._updateCircle(this);
          else this._renderer.tsujiMarker(this);
        },
      });
    }
    return new tsuji.Marker(latlng, options);
  };
})();
