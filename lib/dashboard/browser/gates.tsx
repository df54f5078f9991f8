/** The gates as a table, the worst first, one line each; what a gate says of itself is opened on demand. */

import { useState } from 'preact/hooks';
import type { CutoverView } from '../data.ts';
import type { Tone } from '../sentences.ts';
import { Sign } from './badges.tsx';
import { count, dayAndTime, duration } from './format.ts';

type Gate = CutoverView['gates'][number];

/** What waits is always shown, and at least so many. */
const FEWEST_SHOWN = 5;
const TRENDS = { rising: '↗ rising', falling: '↘ falling', steady: '→ steady' } as const;

export function GateTable({ gates, atMs }: Pick<CutoverView, 'gates'> & { atMs: number }) {
  const [isWhole, showWhole] = useState(false);
  const [opened, open] = useState<string | null>(null);
  if (gates.length === 0) return null;
  const waiting = gates.filter(({ ok }) => !ok).length;
  // The others are there, too, for paper.
  const shown = isWhole ? gates.length : Math.max(waiting, FEWEST_SHOWN);
  return (
    <div class="gates">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: wider than a phone, and scrolled by keyboard from here */}
      <section class="list" tabIndex={0} aria-label="Gates">
        <table>
          <caption>
            Gates: {gates.length - waiting} of {gates.length} passed
          </caption>
          <thead>
            <tr>
              {['Gate', 'Seen', 'Limit', 'Samples', 'Since', 'Trend'].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {gates.map((gate, index) => {
              const key = `${gate.code} ${index}`;
              const toggle = () => open(opened === key ? null : key);
              return (
                <GateRow
                  key={key}
                  gate={gate}
                  atMs={atMs}
                  isRest={index >= shown}
                  isOpen={opened === key}
                  toggle={toggle}
                />
              );
            })}
          </tbody>
        </table>
      </section>
      {shown < gates.length && (
        <button class="plain" type="button" onClick={() => showWhole(true)}>
          Show all {gates.length}
        </button>
      )}
    </div>
  );
}

/** What is only a matter of time is no reason to worry. */
export function gateTone({ ok, fired, waits }: Pick<Gate, 'ok' | 'fired' | 'waits'>): Tone {
  if (ok) return 'good';
  if (fired) return 'bad';
  return waits ? 'idle' : 'wait';
}

type GateRowProps = { gate: Gate; atMs: number; isRest: boolean; isOpen: boolean; toggle(): void };

function GateRow({ gate, atMs, isRest, isOpen, toggle }: GateRowProps) {
  const { label, ok, fired, seen, limit, limitIs, samples, sinceMs, trend, text } = gate;
  const tone = gateTone(gate);
  return (
    <>
      <tr class={isRest ? `rest tone-${tone}` : `tone-${tone}`}>
        <th scope="row">
          <button class="plain" type="button" aria-expanded={isOpen} onClick={toggle}>
            <Sign tone={tone} />
            {label}
            <span class="visually-hidden">{ok ? ', passed' : fired ? ', fired' : ', not passed'}</span>
          </button>
        </th>
        <td>
          <b>{seen}</b>
        </td>
        <td>
          {limit} {limitIs === 'needed' && limit !== '–' && <span class="quiet">needed</span>}
        </td>
        <td>{samples === null ? '–' : count(samples)}</td>
        <td>
          {sinceMs === null ? (
            '–'
          ) : (
            <time dateTime={new Date(sinceMs).toISOString()} title={dayAndTime(sinceMs)}>
              {duration(atMs - sinceMs)}
            </time>
          )}
        </td>
        <td>{trend === null ? '–' : TRENDS[trend]}</td>
      </tr>
      {isOpen && (
        <tr class="prose">
          <td colSpan={6}>{text}</td>
        </tr>
      )}
    </>
  );
}
