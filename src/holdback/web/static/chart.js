// Draws what a page names in `data-series`: numbers that are fetched with a proof of this device's key, like all else. The
// same numbers stand in a table beside it, so that whoever sees no chart misses nothing.

import { proof } from "./device-key.js";

const { account, ath } = document.documentElement.dataset;
const HEIGHT = 260;
const WIDTH_MIN = 240;
const MILLION = 1e6;
const THOUSAND = 1e3;
const DAY_S = 86_400;

let library = null;

/** uPlot is fetched where a chart is shown, and nowhere else. */
function uPlot() {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./uplot.min.css", import.meta.url).href;
    const script = document.createElement("script");
    script.src = new URL("./uplot.min.js", import.meta.url).href;
    script.addEventListener("load", () => resolve(globalThis.uPlot));
    script.addEventListener("error", reject);
    document.head.append(style, script);
  });
  return library;
}

function dollars(_, values) {
  return values.map((one) => {
    if (one >= MILLION) return `$${one / MILLION}M`;
    return one >= THOUSAND ? `$${one / THOUSAND}k` : `$${one}`;
  });
}

/** Hours of a day, days of a longer time. */
function moments(_, splits) {
  const long = splits.length > 1 && splits.at(-1) - splits[0] > 2 * DAY_S;
  const said = new Intl.DateTimeFormat(
    document.documentElement.lang,
    long ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  );
  return splits.map((one) => {
    const at = new Date(one * THOUSAND);
    return long && at.getHours() !== 0 ? "" : said.format(at);
  });
}

/** The page's own colours, light or dark. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(place, width) {
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
  const lines = [
    ["--accent", []],
    ["--accent", [6, 4]],
    ["--wait", []],
    ["--wait", [6, 4]],
  ];
  const names = JSON.parse(place.dataset.names);
  const series = lines.map(([stroke, dash], nth) => ({
    label: names[nth],
    stroke: colour(stroke),
    width: 2,
    dash,
    points: { show: false },
  }));
  return {
    width,
    height: HEIGHT,
    series: [{ label: place.dataset.when }, ...series],
    axes: [{ ...axis, values: moments, space: 64 }, { ...axis, values: dollars, size: 64 }],
    scales: { y: { range: (_, __, most) => [0, most * 1.1 || 1] } },
    legend: { markers: { dash: (chart, nth) => (chart.series[nth].dash?.length ? "dashed" : "solid") } },
    cursor: { drag: { x: false, y: false } },
  };
}

async function draw(place) {
  const url = place.dataset.series;
  const asked = { headers: { DPoP: await proof("GET", url, { account, ath }, {}) }, cache: "no-store" };
  const response = await fetch(url, asked);
  if (!response.ok) throw new Error(`${response.status}`);
  const { hours } = await response.json();
  const columns = [
    hours.map((one) => Date.parse(one.at) / THOUSAND),
    ...["new_usd", "new_limit_usd", "changed_usd", "changed_limit_usd"].map((name) => hours.map((one) => Number(one[name]))),
  ];
  const Chart = await uPlot();
  const width = () => Math.max(WIDTH_MIN, place.clientWidth);
  const chart = new Chart(options(place, width()), columns, place);
  place.dataset.drawn = hours.length;
  new ResizeObserver(() => chart.setSize({ width: width(), height: HEIGHT })).observe(place);
}

addEventListener("holdback:shown", () => {
  const place = document.querySelector("[data-series]:not([data-drawn])");
  // Without a chart the table says it all.
  if (place) draw(place).catch(() => place.remove());
});
