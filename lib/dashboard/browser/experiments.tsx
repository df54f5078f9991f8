/** Experiments: how many of how many, then what they say. */

import type { DashboardData } from '../data.ts';
import { Bar, Pill } from './badges.tsx';
import { count, percent } from './format.ts';

type Experiment = DashboardData['experiments'][number];
type Complete = Extract<Experiment, { state: 'complete' }>;

export function Experiments({ experiments }: { experiments: readonly Experiment[] }) {
  if (experiments.length === 0) return null;
  return (
    <section class="card alerts" aria-label="Experiments">
      <h2>{experiments.length === 1 ? '1 experiment' : `${experiments.length} experiments`}</h2>
      <ul>
        {experiments.map((one) => (
          <Item key={`${one.cutover}.${one.experiment}`} one={one} />
        ))}
      </ul>
    </section>
  );
}

function Item({ one }: { one: Experiment }) {
  const { experiment, n, size } = one;
  return (
    <li>
      <p class="alert-head">
        <Pill
          badge={one.state === 'complete' ? { text: 'Complete', tone: 'done' } : { text: 'Collecting', tone: 'idle' }}
        />
        <b>{experiment}</b>
        <span class="quiet">
          {count(n)} of {count(size)}
        </span>
      </p>
      {one.state === 'complete' ? <Findings one={one} /> : <Bar value={n} max={size} label={`${n} of ${size} units`} />}
    </li>
  );
}

function Findings({ one: { cohorts, conversion, findings } }: { one: Complete }) {
  return (
    <>
      {(['primary', 'shadow'] as const).map((side) => {
        const { n, rate, wilson } = cohorts[side];
        return (
          <p key={side} class="quiet">
            {side}: {count(n)} units, {conversion} {percent(rate)}
            {wilson && ` (${percent(wilson.low)} … ${percent(wilson.high)})`}
          </p>
        );
      })}
      {findings.map((text) => (
        <p key={text}>{text}</p>
      ))}
    </>
  );
}
