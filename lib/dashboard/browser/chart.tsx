/** Old versus new over the last hour, or as much of it as there is, with a legend that follows the pointer. */

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CutoverView } from '../data.ts';
import type { Series, SideSeries } from '../series.ts';
import { clockMinute, ms, percent } from './format.ts';
import { type Plot, plotOn, type Stroke } from './plot.ts';

type Figure = { of: Exclude<keyof SideSeries, 'count'>; label: string; width: number; alpha: number };
type Kind = {
  title: string;
  format: (value: number | null) => string;
  /** Upper end of the axis where nothing is above 0. */
  least: number;
  figures: readonly Figure[];
};

export const LATENCY: Kind = {
  title: 'Latency',
  format: ms,
  least: 1,
  figures: [
    { of: 'p95Ms', label: 'p95', width: 2, alpha: 1 },
    { of: 'p50Ms', label: 'p50', width: 1.2, alpha: 0.75 },
  ],
};
export const ERRORS: Kind = {
  title: 'Errors',
  format: percent,
  least: 0.01,
  figures: [{ of: 'errorRate', label: '', width: 2, alpha: 1 }],
};

const SIDES = [
  { side: 'primary', name: 'Primary (old)', color: '--old', dash: [5, 4] },
  { side: 'shadow', name: 'Shadow (new)', color: '--new', dash: [] },
] as const;

type Line = Stroke & { side: 'primary' | 'shadow'; name: string; label: string; values: readonly (number | null)[] };

/** Of the hour, what is shown at least. */
const FEWEST_MINUTES = 15;

export function Chart({ kind, series, marks }: { kind: Kind } & Pick<CutoverView, 'series' | 'marks'>) {
  const canvas = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot>(null);
  const [pointed, point] = useState<number | null>(null);
  const { times, lines, first, isEmpty } = useMemo(() => drawingOf(kind, series), [kind, series]);

  useLayoutEffect(() => {
    const { format, least } = kind;
    plot.current = plotOn(canvas.current!, { strokes: lines, time: timeOfDay, format, least, point });
    return () => plot.current?.remove();
  }, [kind]);
  useLayoutEffect(() => {
    plot.current?.show({ times, from: first, columns: lines.map(({ values }) => values), marks });
  }, [times, first, lines, marks]);

  const span = first === 0 ? 'last hour' : `last ${times.length - first} minutes`;
  const now = lines.map(({ name, label, values }) => `${name} ${label} ${kind.format(valueAt(values, null))}`);
  const spoken = isEmpty ? 'nothing recorded in the last hour' : `Now: ${now.join(', ')}.`;
  return (
    <div
      class="plot"
      role="img"
      data-empty={isEmpty ? 'yes' : 'no'}
      aria-label={isEmpty ? `${kind.title}: ${spoken}` : `${kind.title} over the ${span}. ${spoken}`}
    >
      <h4>
        {kind.title}
        <span>{pointed === null ? span : `at ${timeOfDay(times[pointed]!)}`}</span>
      </h4>
      <ul class="legend">
        {SIDES.map(({ side, name }) => (
          <li key={side}>
            <i class={`swatch ${side}`} />
            <span>{name}</span>
            <b>
              {legendOf(
                kind,
                lines.filter((line) => line.side === side),
                pointed,
              )}
            </b>
          </li>
        ))}
      </ul>
      <div class="canvas" aria-hidden="true" ref={canvas} />
      <p class="nothing">Nothing recorded in the last hour</p>
    </div>
  );
}

const timeOfDay = (seconds: number): string => clockMinute(seconds * 1000);

function drawingOf(kind: Kind, series: Series) {
  const times = series.primary.count.map((_, index) => (series.startMinute + index) * 60);
  const lines = SIDES.flatMap(({ side, ...look }) =>
    kind.figures.map(({ of, ...figure }): Line => ({ side, ...look, ...figure, values: series[side][of] })),
  );
  const firsts = lines.map(({ values }) => values.findIndex((value) => value !== null)).filter((index) => index >= 0);
  return {
    times,
    lines,
    isEmpty: firsts.length === 0,
    first: Math.max(0, Math.min(...firsts, times.length - FEWEST_MINUTES)),
  };
}

/** Values of one side under the pointer, or else the last ones. */
function legendOf({ format }: Kind, lines: readonly Line[], pointed: number | null): string {
  const shown = lines.map(({ label, values }) => ({ label, value: valueAt(values, pointed) }));
  if (shown.every(({ value }) => value === null)) return '–';
  return shown.map(({ label, value }) => `${label} ${format(value)}`.trim()).join(' · ');
}

const valueAt = (values: Line['values'], index: number | null): number | null =>
  (index === null ? values.findLast((value) => value !== null) : values[index]) ?? null;
