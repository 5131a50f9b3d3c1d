// Pictures to take away: what stands in a chart or on the map, with title, time and credit, as a PNG file.
(function () {
  "use strict";
  const SCALE = 2; // pixels of the file for each of the screen, so that it can be printed
  const PAD = 22;
  const CHART = [800, 1.25]; // least width, and how much higher than on the screen

  /** The page's own colours and font. */
  function look() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return Object.fromEntries(["paper", "ground", "ink", "soft", "line", "font", "hatch-paper", "hatch-stripe"].map((name) => [name, of(name)]));
  }

  /** A canvas of so many pixels of the screen, and what draws on it. */
  function sheet(width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * SCALE);
    canvas.height = Math.round(height * SCALE);
    const pen = canvas.getContext("2d");
    pen.scale(SCALE, SCALE);
    return { canvas, pen };
  }

  /** A text in lines that are no wider than `width`; pieces are words, of which Japanese has no spaces. */
  function lines(pen, said, width) {
    const words = new Intl.Segmenter(document.documentElement.lang, { granularity: "word" });
    const found = [];
    let line = "";
    for (const { segment } of words.segment(said)) {
      if (line && pen.measureText(line + segment).width > width) {
        found.push(line.trimEnd());
        line = segment.trimStart();
      } else {
        line += segment;
      }
    }
    return [...found, line.trimEnd()].filter(Boolean);
  }

  /** A paragraph: `{height, draw(pen, x, y)}`. */
  function paragraph(said, width, { size = 13, weight = 400, colour, mark } = {}) {
    const { ink, font } = look();
    const { pen } = sheet(1, 1);
    const style = `${weight} ${size}px ${font}`;
    const indent = mark ? mark.width + 8 : 0;
    pen.font = style;
    const rows = said ? lines(pen, said, width - indent) : [];
    const step = Math.round(size * 1.45);
    return {
      height: rows.length * step,
      draw(onto, x, y) {
        onto.font = style;
        onto.fillStyle = colour || ink;
        onto.textBaseline = "middle";
        onto.textAlign = "left";
        rows.forEach((row, i) => onto.fillText(row, x + indent, y + (i + 0.5) * step));
        if (mark && rows.length) mark.draw(onto, x, y + step / 2);
      },
    };
  }

  const gap = (height) => ({ height, draw() {} });

  /** Draw blocks one below the other. */
  function stack(pen, blocks, x, y) {
    let at = y;
    for (const block of blocks) {
      block.draw(pen, x, at);
      at += block.height;
    }
    return at;
  }

  const height = (blocks) => blocks.reduce((sum, block) => sum + block.height, 0);

  /** Give the reader a file. */
  function save(canvas, name) {
    return new Promise((resolve, reject) => {
      canvas.toBlob((blob) => {
        if (!blob) {
          reject(new Error(`no picture of ${canvas.width} × ${canvas.height} pixels can be made`));
          return;
        }
        give(blob, name);
        resolve();
      }, "image/png");
    });
  }

  function give(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 30000);
  }

  function loaded(address, crossing) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      if (crossing) image.crossOrigin = "anonymous";
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(`${address.slice(0, 200)} can't be loaded`));
      image.src = address;
    });
  }

  /** A moment as file names have it: Tokyo's date and time, without signs that file systems refuse. */
  function stamp(ms) {
    const tokyo = new Date(ms + 9 * 3600e3).toISOString();
    return `${tokyo.slice(0, 10).replaceAll("-", "")}-${tokyo.slice(11, 16).replace(":", "")}`;
  }

  const fileName = (...parts) => `${["tsuji", ...parts.filter(Boolean)].join("-").replace(/[^\p{L}\p{N}._-]+/gu, "_")}`;

  // --- charts ----------------------------------------------------------------------------------

  /** The moment that the page shows, in ms. */
  function moment() {
    const asked = new URLSearchParams(window.location.search).get("at");
    const ms = Date.parse((asked || "").replace(" ", "+"));
    return Number.isFinite(ms) ? ms : window.tsuji.clock.now();
  }

  const textOf = (element) => (element ? element.innerText.replace(/\s*\n\s*/g, " ").trim() : "");

  /** The sentences above a chart, that of the usual range with its mark. */
  function sentences(home, width) {
    const { soft } = look();
    return [...home.querySelectorAll(":scope > .summary, :scope > figcaption .summary, :scope > figcaption .usual")]
      .filter((it) => textOf(it))
      .map((it) => {
        const band = it.querySelector(".usual-mark");
        const mark = band && {
          width: 18,
          draw(pen, x, y) {
            const [line, fill] = document.documentElement.dataset.theme === "dark" ? ["#74c0fc", "rgb(116 192 252 / 32%)"] : ["#1864ab", "rgb(24 100 171 / 25%)"];
            pen.fillStyle = fill;
            pen.fillRect(x, y - 5, 18, 10);
            pen.fillStyle = line;
            pen.fillRect(x, y - 0.75, 18, 1.5);
          },
        };
        return paragraph(textOf(it), width, { colour: soft, mark });
      });
  }

  async function chart(button) {
    const home = button.closest("figure.chart, section, #area-compared");
    const graph = home && home.querySelector(".js-plotly-plot");
    if (!graph || !window.Plotly) throw new Error("there is no chart to draw");
    const { paper, ink, soft } = look();
    const inner = Math.max(CHART[0], graph.clientWidth);
    const tall = Math.round(graph.clientHeight * CHART[1]);
    const drawn = await loaded(await window.Plotly.toImage(graph, { format: "png", width: inner, height: tall, scale: SCALE }));
    const place = textOf(document.querySelector(".area-head h1, #detail h2"));
    const heading = home.querySelector(":scope > h2, :scope > figcaption > div, :scope > .chart-title");
    const title = [...heading.childNodes].map((it) => it.textContent.trim()).filter(Boolean).join(" · ");
    const ms = moment();
    const as_of = window.tsuji.t("area.as_of", { time: window.tsuji.format.dateTime(ms) });
    const blocks = [
      paragraph([place, title].filter(Boolean).join(" · "), inner, { size: 18, weight: 650, colour: ink }),
      gap(4),
      ...sentences(home, inner),
      gap(8),
      { height: tall, draw: (pen, x, y) => pen.drawImage(drawn, x, y, inner, tall) },
      gap(6),
      paragraph(`${as_of} · Tsuji · ${window.location.host}`, inner, { size: 11.5, colour: soft }),
    ];
    const { canvas, pen } = sheet(inner + 2 * PAD, height(blocks) + 2 * PAD);
    pen.fillStyle = paper;
    pen.fillRect(0, 0, inner + 2 * PAD, height(blocks) + 2 * PAD);
    stack(pen, blocks, PAD, PAD);
    await save(canvas, `${fileName(button.dataset.png, stamp(ms))}.png`);
  }

  /** Where it is said, beside the button, how its picture went; there and empty before it is needed. */
  function told(button) {
    let said = button.nextElementSibling;
    if (!said || !said.matches(".picture-said")) {
      said = Object.assign(document.createElement("span"), { className: "picture-said" });
      said.setAttribute("role", "status");
      button.after(said);
    }
    said.textContent = "";
    return said;
  }

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-png]");
    if (!button || button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    const said = told(button);
    try {
      await chart(button);
    } catch (error) {
      said.textContent = window.tsuji.t("chart.png_failed");
      console.warn("no picture of the chart:", error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });

  window.tsuji.picture = { PAD, look, sheet, paragraph, gap, stack, height, save, give, loaded, stamp, fileName };
})();
