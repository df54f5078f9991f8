/** One plot over the last hour, or as much of it as there is, with a legend that follows the pointer. */

import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CutoverView } from '../data.ts';
import type { PlotLine, Plots, Plot as PlotView } from '../plots.ts';
import { clockMinute, count, ms, percent } from './format.ts';
import { type Plot, plotOn, type Stroke } from './plot.ts';

const FORMATS = {
  ms,
  rate: percent,
  count: (value: number | null) => (value === null ? '–' : count(value)),
} as const satisfies Record<PlotView['unit'], (value: number | null) => string>;
const LOOKS = { strong: [2, 1], medium: [1.2, 0.75], thin: [1, 0.45] } as const;
const DASHES: Partial<Record<PlotLine['ink'], readonly number[]>> = { old: [5, 4], quiet: [2, 3] };

/** Of the hour, what is shown at least. */
const FEWEST_MINUTES = 15;

type ChartProps = { plot: PlotView; from: number } & Pick<Plots, 'startMinute'> & Pick<CutoverView, 'marks'>;

/** The first minute that any of the plots has something of: all of them begin there. */
export function firstMinute(plots: readonly PlotView[]): number {
  const length = plots[0]?.lines[0]?.values.length ?? 0;
  const firsts = plots
    .flatMap(({ lines }) => lines)
    .filter(({ ink }) => ink !== 'quiet')
    .map(({ values }) => values.findIndex((value) => value !== null));
  return Math.max(0, Math.min(...firsts.filter((index) => index >= 0), length - FEWEST_MINUTES));
}

export function Chart({ plot, startMinute, from, marks }: ChartProps) {
  const { title, lines, limit, top, cut } = plot;
  const canvas = useRef<HTMLDivElement>(null);
  const drawn = useRef<Plot>(null);
  const [pointed, point] = useState<number | null>(null);
  const format = FORMATS[plot.unit];
  const length = lines[0]!.values.length;
  const times = useMemo(() => Array.from({ length }, (_, index) => (startMinute + index) * 60), [startMinute, length]);
  // Another set of lines is another plot.
  const strokes = JSON.stringify(lines.map(strokeOf));

  useLayoutEffect(() => {
    drawn.current = plotOn(canvas.current!, { strokes: JSON.parse(strokes), time: timeOfDay, format, point });
    return () => drawn.current?.remove();
  }, [strokes, format]);
  useLayoutEffect(() => {
    drawn.current?.show({ times, from, lines, marks, limit, top });
  }, [times, from, strokes, plot, marks]);

  const span = from === 0 ? 'last hour' : `last ${times.length - from} minutes`;
  const named = namesOf(lines);
  const now = named.map((name) => `${name} ${legendOf(plot, name, null).join(', ')}`).join('; ');
  return (
    <div class="plot" role="img" aria-label={`${title} over the ${span}. Now: ${now}.`}>
      <h4>
        {title}
        <span>{pointed === null ? span : `at ${timeOfDay(times[pointed]!)}`}</span>
      </h4>
      <ul class="legend">
        {named.map((name) => (
          <li key={name}>
            <i class={`swatch ${lines.find((line) => line.name === name)!.ink}`} />
            <span>{name}</span>
            <b>
              {legendOf(plot, name, pointed).map((value) => (
                <span key={value}>{value} </span>
              ))}
            </b>
          </li>
        ))}
        {limit !== null && (
          <li>
            <i class="swatch limit" />
            <span>Limit</span>
            <b>
              <span>{format(limit)}</span>
              {limit > top && <span class="quiet">above the plot</span>}
            </b>
          </li>
        )}
      </ul>
      <div class="canvas" aria-hidden="true" ref={canvas} />
      {cut.length > 0 && (
        <p class="quiet cut">
          Cut off: {cut.map(({ index, value }) => `${format(value)} at ${timeOfDay(times[index]!)}`).join(', ')}
        </p>
      )}
    </div>
  );
}

const timeOfDay = (seconds: number): string => clockMinute(seconds * 1000);

function strokeOf({ ink, look, band }: PlotLine): Stroke {
  const [width, alpha] = LOOKS[look];
  return { color: `--${ink}`, dash: DASHES[ink] ?? [], width, alpha, isBanded: band !== undefined };
}

const namesOf = (lines: readonly PlotLine[]): string[] => [...new Set(lines.map(({ name }) => name))];

/** Values of one name under the pointer, or else the last ones; with the interval where there is one. */
function legendOf({ lines, unit }: PlotView, of: string, pointed: number | null): string[] {
  const format = FORMATS[unit];
  const shown = lines.filter(({ name }) => name === of).map((line) => ({ ...line, at: indexOf(line, pointed) }));
  if (shown.every(({ values, at }) => (values[at] ?? null) === null)) return ['–'];
  return shown.map(({ label, values, band, at }) => {
    const [low, high] = [band?.low[at] ?? null, band?.high[at] ?? null];
    const interval = low === null || high === null ? '' : ` (${format(low)} – ${format(high)})`;
    return `${label} ${format(values[at] ?? null)}${interval}`.trim();
  });
}

const indexOf = ({ values }: PlotLine, pointed: number | null): number =>
  pointed ?? values.findLastIndex((value) => value !== null);
