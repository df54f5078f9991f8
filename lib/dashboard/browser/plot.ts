/**
 * Lines, the intervals around them, limits and upright marks on a canvas, drawn by uPlot in the colours of the style sheet. Knows nothing of
 * what they mean.
 */

import uPlot from 'uplot';

type Colour = `--${string}`;
type Values = readonly (number | null)[];
export type Stroke = {
  color: Colour;
  dash: readonly number[];
  width: number;
  alpha: number;
  /** An interval belongs to it. */
  isBanded: boolean;
};
type Mark = { atMs: number; label: string };
type Drawing = {
  /** Seconds since the epoch; `from` is the first that is shown. */
  times: readonly number[];
  from: number;
  /** One for each stroke: a value for each time, and the ends of the interval where it is banded. */
  lines: readonly { values: Values; band?: { low: Values; high: Values } }[];
  marks: readonly Mark[];
  /** A line across; null for none. */
  limit: number | null;
  /** Upper end of the axis. */
  top: number;
};

export type Plot = { show(drawing: Drawing): void; remove(): void };

type PlotOptions = {
  strokes: readonly Stroke[];
  /** Axis labels, x from seconds and y from values. */
  time: (seconds: number) => string;
  format: (value: number) => string;
  /** Called with the index under the pointer; null where there is none. */
  point: (index: number | null) => void;
};
type Shown = Pick<Drawing, 'marks' | 'limit' | 'top'>;

const HEIGHT = 158;
const POINT_SIZE = 6;
/** Two hexadecimal digits, behind those of a colour. */
const BAND_OPACITY = '26';

/** A plot that fills the width of `parent`, whose children are its own. */
export function plotOn(parent: HTMLElement, options: PlotOptions): Plot {
  let shown: Shown = { marks: [], limit: null, top: 1 };
  const chart = new uPlot(
    chartOptions(options, parent.clientWidth || 300, () => shown),
    undefined,
    parent,
  );
  const resizing = new ResizeObserver(() => {
    if (parent.clientWidth > 0) chart.setSize({ width: parent.clientWidth, height: HEIGHT });
  });
  resizing.observe(parent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const repaint = () => chart.redraw(false, true);
  dark.addEventListener('change', repaint);
  return {
    show: ({ times, from, lines, ...drawing }) => {
      shown = drawing;
      const columns = [
        ...lines.map(({ values }) => values),
        ...lines.flatMap(({ band }) => (band ? [band.high, band.low] : [])),
      ];
      chart.setData([[...times], ...columns.map((column) => [...column])], false);
      chart.setScale('x', { min: times[from]!, max: times.at(-1)! });
    },
    remove: () => {
      resizing.disconnect();
      dark.removeEventListener('change', repaint);
      chart.destroy();
    },
  };
}

function chartOptions(options: PlotOptions, width: number, shown: () => Shown): uPlot.Options {
  const { strokes, time, format, point } = options;
  const banded = strokes.filter(({ isBanded }) => isBanded);
  const axis: uPlot.Axis = {
    font: '11px system-ui, sans-serif',
    stroke: () => color('--quiet'),
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [16, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: (_, index) => (index <= strokes.length ? POINT_SIZE : 0) },
    },
    scales: { x: { time: true }, y: { range: () => [0, shown().top] } },
    axes: [
      { ...axis, grid: { show: false }, space: 60, size: 24, values: (_, ticks) => ticks.map(time) },
      {
        ...axis,
        grid: { stroke: () => color('--hairline'), width: 1 },
        size: 54,
        space: 30,
        values: (_, ticks) => ticks.map(format),
      },
    ],
    series: [{}, ...strokes.map(lineOf), ...banded.flatMap(() => [END_OF_BAND, END_OF_BAND])],
    bands: banded.map(({ color: name }, index) => ({
      series: [1 + strokes.length + 2 * index, 2 + strokes.length + 2 * index],
      fill: () => `${color(name)}${BAND_OPACITY}`,
    })),
    hooks: {
      setCursor: [(chart) => point(chart.cursor.idx ?? null)],
      drawClear: [
        (chart) => {
          drawLimit(chart, shown());
          drawMarks(chart, shown().marks);
        },
      ],
    },
  };
}

const lineOf = ({ color: name, dash, width, alpha }: Stroke): uPlot.Series => ({
  width,
  alpha,
  stroke: () => color(name),
  dash: [...dash],
  points: { show: false },
  spanGaps: false,
});
/** The ends themselves are not drawn, the band between them is. */
const END_OF_BAND: uPlot.Series = { width: 0, points: { show: false }, spanGaps: false };

const color = (name: Colour) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A dashed line across, where it lies within the axis. */
function drawLimit({ ctx, bbox, valToPos }: uPlot, { limit, top }: Shown): void {
  if (limit === null || limit > top) return;
  const y = valToPos(limit, 'y', true);
  ctx.save();
  ctx.strokeStyle = color('--bad');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Upright lines, each with its name where there is room; the newest, which come first, have it. */
function drawMarks({ ctx, bbox, valToPos }: uPlot, marks: readonly Mark[]): void {
  const pixel = devicePixelRatio;
  const end = bbox.left + bbox.width;
  const taken: { from: number; to: number }[] = [];
  ctx.save();
  ctx.font = `${10 * pixel}px system-ui, sans-serif`;
  for (const { atMs, label } of marks) {
    const x = valToPos(atMs / 1000, 'x', true);
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
