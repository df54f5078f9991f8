/** Lines and upright marks on a canvas, drawn by uPlot in the colours of the style sheet. Knows nothing of what they mean. */

import uPlot from 'uplot';

export type Stroke = { color: `--${string}`; dash: readonly number[]; width: number; alpha: number };
type Mark = { atMs: number; label: string };
type Drawing = {
  /** Seconds since the epoch; `from` is the first that is shown. */
  times: readonly number[];
  from: number;
  /** One for each stroke, a value for each time. */
  columns: readonly (readonly (number | null)[])[];
  marks: readonly Mark[];
};

export type Plot = { show(drawing: Drawing): void; remove(): void };

type PlotOptions = {
  strokes: readonly Stroke[];
  /** Axis labels, x from seconds and y from values. */
  time: (seconds: number) => string;
  format: (value: number) => string;
  /** The upper end of the axis where no value is above 0. */
  least: number;
  /** Called with the index under the pointer; null where there is none. */
  point: (index: number | null) => void;
};

const HEIGHT = 158;

/** A plot that fills the width of `parent`, whose children are its own. */
export function plotOn(parent: HTMLElement, options: PlotOptions): Plot {
  let marks: readonly Mark[] = [];
  const chart = new uPlot(
    chartOptions(options, parent.clientWidth || 300, () => marks),
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
    show: (drawing) => {
      marks = drawing.marks;
      chart.setData([[...drawing.times], ...drawing.columns.map((column) => [...column])], false);
      chart.setScale('x', { min: drawing.times[drawing.from]!, max: drawing.times.at(-1)! });
    },
    remove: () => {
      resizing.disconnect();
      dark.removeEventListener('change', repaint);
      chart.destroy();
    },
  };
}

function chartOptions(options: PlotOptions, width: number, marks: () => readonly Mark[]): uPlot.Options {
  const { strokes, time, format, least, point } = options;
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
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_, __, highest) => [0, highest > 0 ? highest * 1.15 : least] } },
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
    series: [
      {},
      ...strokes.map(({ color: name, dash, width, alpha }) => ({
        width,
        alpha,
        stroke: () => color(name),
        dash: [...dash],
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: {
      setCursor: [(chart) => point(chart.cursor.idx ?? null)],
      drawClear: [(chart) => drawMarks(chart, marks())],
    },
  };
}

const color = (name: Stroke['color']) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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
