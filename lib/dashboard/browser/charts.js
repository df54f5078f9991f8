/** Draws one plot of old versus new over the last hour, or as much of it as there is, with a legend that follows the pointer. Needs uPlot. */

import { el, patchChildren } from './dom.js';
import { clockMinute, ms, percent } from './format.js';

const SIDES = [
  { side: 'primary', name: 'Primary (old)', color: '--old', dash: [5, 4] },
  { side: 'shadow', name: 'Shadow (new)', color: '--new', dash: [] },
];

const LATENCY = {
  title: 'Latency',
  format: ms,
  lines: linesOf([
    ['p95Ms', 'p95', 2],
    ['p50Ms', 'p50', 1.2],
  ]),
};
const ERRORS = { title: 'Errors', format: percent, lines: linesOf([['errorRate', '', 2]]) };
const KINDS = { latency: LATENCY, errors: ERRORS };

function linesOf(figures) {
  return SIDES.flatMap((side) => figures.map(([figure, label, width]) => ({ ...side, figure, label, width })));
}

const drawn = new WeakMap();
/** Of the hour, what is shown at least. */
const FEWEST_MINUTES = 15;

/** Fills a `[data-plot]` element of a cutover, or refreshes what it shows. */
export function draw(node, cutover) {
  const kind = KINDS[node.dataset.plot];
  const { series, marks } = cutover;
  const x = series.primary.count.map((_, index) => (series.startMinute + index) * 60);
  const columns = kind.lines.map(({ side, figure }) => series[side][figure]);
  const empty = columns.every((column) => column.every((value) => value === null));
  node.dataset.empty = empty ? 'yes' : 'no';
  const plot = drawn.get(node) ?? create(node, kind);
  plot.marks = marks;
  plot.chart.setData([x, ...columns], false);
  const first = Math.max(0, Math.min(firstRecorded(columns), x.length - FEWEST_MINUTES));
  plot.span = first === 0 ? 'last hour' : `last ${x.length - first} minutes`;
  plot.chart.setScale('x', { min: x[first], max: x.at(-1) });
  legend(plot, kind, null);
  node.setAttribute('aria-label', empty ? `${kind.title}: nothing recorded in the last hour` : spoken(plot, kind));
}

/** Index of the first minute with a value; the number of minutes where there is none. */
function firstRecorded(columns) {
  const firsts = columns.map((column) => column.findIndex((value) => value !== null)).filter((index) => index >= 0);
  return Math.min(columns[0].length, ...firsts);
}

function create(node, kind) {
  const key = el('ul', { class: 'legend' });
  const when = el('span', {});
  const canvas = el('div', { class: 'canvas', 'aria-hidden': 'true' });
  node.setAttribute('role', 'img');
  node.append(
    el('h4', {}, kind.title, when),
    key,
    canvas,
    el('p', { class: 'nothing' }, 'Nothing recorded in the last hour'),
  );
  const plot = { key, when, marks: [], span: 'last hour', chart: null };
  plot.chart = new uPlot(options(kind, plot, canvas.clientWidth || 300), null, canvas);
  new ResizeObserver(() => {
    if (canvas.clientWidth > 0) plot.chart.setSize({ width: canvas.clientWidth, height: HEIGHT });
  }).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.chart.redraw(false, true));
  drawn.set(node, plot);
  return plot;
}

const HEIGHT = 158;

function options(kind, plot, width) {
  const axis = { font: '11px system-ui, sans-serif', stroke: () => color('--quiet'), ticks: { show: false } };
  const grid = { stroke: () => color('--hairline'), width: 1 };
  return {
    width,
    height: HEIGHT,
    padding: [16, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true },
      y: { range: (_, __, highest) => [0, highest > 0 ? highest * 1.15 : kind === ERRORS ? 0.01 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 60,
        size: 24,
        values: (_, ticks) => ticks.map((at) => clockMinute(at * 1000)),
      },
      { ...axis, grid, size: 54, space: 34, values: (_, ticks) => ticks.map((value) => kind.format(value)) },
    ],
    series: [{}, ...kind.lines.map(seriesOptions)],
    hooks: {
      setCursor: [(chart) => legend(plot, kind, chart.cursor.idx ?? null)],
      drawClear: [(chart) => drawMarks(chart, plot.marks)],
    },
  };
}

function seriesOptions({ color: name, dash, width, label }) {
  return {
    stroke: () => color(name),
    width,
    dash,
    alpha: label === 'p50' ? 0.75 : 1,
    points: { show: false },
    spanGaps: false,
  };
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Upright lines where the stage changed, each with its name where there is room; the newest, which come first, have it. */
function drawMarks(chart, marks) {
  const { ctx, bbox } = chart;
  const pixel = devicePixelRatio;
  const end = bbox.left + bbox.width;
  const taken = [];
  ctx.save();
  ctx.font = `${10 * pixel}px system-ui, sans-serif`;
  for (const { atMs, label } of marks) {
    const x = chart.valToPos(atMs / 1000, 'x', true);
    if (x < bbox.left || x > end) continue;
    ctx.fillStyle = color('--mark');
    ctx.fillRect(x, bbox.top, pixel, bbox.height);
    const width = ctx.measureText(label).width + 8 * pixel;
    const from = x + width > end ? x - width : x;
    if (taken.some((other) => from < other.to && other.from < from + width)) continue;
    taken.push({ from, to: from + width });
    ctx.fillStyle = color('--quiet');
    ctx.fillText(label, from + 4 * pixel, bbox.top - 4 * pixel);
  }
  ctx.restore();
}

/** Names of the lines with the values under the pointer, or else the last ones. */
function legend(plot, kind, index) {
  const items = SIDES.map(({ side, name }) =>
    el(
      'li',
      {},
      el('i', { class: `swatch ${side}` }),
      el('span', {}, name),
      el('b', {}, valuesOf(plot, kind, side, index)),
    ),
  );
  patchChildren(plot.key, el('ul', {}, items));
  const at = index === null ? null : plot.chart.data[0][index];
  plot.when.textContent = at ? `at ${clockMinute(at * 1000)}` : plot.span;
}

function valuesOf(plot, kind, side, index) {
  const lines = kind.lines
    .map((line, at) => ({ ...line, value: valueAt(plot, at, index) }))
    .filter((line) => line.side === side);
  if (lines.every((line) => line.value === null)) return '–';
  return lines.map(({ label, value }) => `${label} ${kind.format(value)}`.trim()).join(' · ');
}

function valueAt(plot, line, index) {
  const column = plot.chart.data?.[line + 1] ?? [];
  return index === null ? (column.findLast((value) => value !== null) ?? null) : (column[index] ?? null);
}

function spoken(plot, kind) {
  const parts = kind.lines.map((line, at) => `${line.name} ${line.label} ${kind.format(valueAt(plot, at, null))}`);
  return `${kind.title} over the ${plot.span}. Now: ${parts.join(', ')}.`;
}
