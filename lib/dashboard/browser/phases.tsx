/** The card of the phases, in the order in which they are made. */

import type { PhaseLine } from '../phases.ts';
import { Bar, Command, Pill } from './badges.tsx';
import { minutes } from './format.ts';

export function Phases({ phases }: { phases: readonly PhaseLine[] }) {
  if (phases.length === 0) return null;
  return (
    <section class="card phases" aria-labelledby="phases-title">
      <header>
        <h2 id="phases-title">Phases</h2>
      </header>
      <ol>
        {phases.map((phase) => (
          <Phase key={phase.name} phase={phase} />
        ))}
      </ol>
    </section>
  );
}

function Phase({ phase: { name, badge, summary, cutovers, soak, missing, command } }: { phase: PhaseLine }) {
  return (
    <li class={`tone-${badge.tone}`}>
      <p class="title">
        <b>{name}</b>
        <Pill badge={badge} />
        <span class="quiet">{summary}</span>
      </p>
      <ul class="members" aria-label={`Cutovers of ${name}`}>
        {cutovers.map(({ id, stage, reached }) => (
          <li key={id} class={reached ? 'reached' : undefined}>
            <b>{id}</b> {stage}
          </li>
        ))}
      </ul>
      {soak && (
        <div class="soak">
          <Bar value={soak.minutes} max={soak.ofMinutes} label={soak.label} />
          <span class="quiet">
            {minutes(soak.minutes)} of {minutes(soak.ofMinutes)}
          </span>
        </div>
      )}
      {missing.length > 0 && (
        <ul class="missing quiet">
          {missing.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {command && <Command line={command} />}
    </li>
  );
}
