/** The card of one cutover. */

import type { CutoverView } from '../data.ts';
import type { InvalidView } from '../row.ts';
import { Actions } from './actions.tsx';
import { Bar, Command, Pill, Sign } from './badges.tsx';
import { Chart, firstMinute } from './chart.tsx';
import { count, dayAndTime, duration, minutes, ms, percent } from './format.ts';
import { GateTable } from './gates.tsx';
import { ShareBar, StageLine } from './stages.tsx';
import { TableStrip } from './table.tsx';

type CardProps = { cutover: CutoverView };

export function InvalidCard({ cutover: { id, badge, why } }: { cutover: InvalidView }) {
  return (
    <article class="card" aria-label={`Cutover ${id}`}>
      <header>
        <h2>{id}</h2>
        <Pill badge={badge} />
      </header>
      <div class="panel tone-bad">
        <p>The state of this cutover cannot be read. Nothing moves until the state is repaired. {why}</p>
      </div>
    </article>
  );
}

export function CutoverCard({ cutover, atMs, onChanged }: CardProps & { atMs: number; onChanged(): void }) {
  const { id, kind, badge, version, epoch, summary, flagsDeployed } = cutover;
  return (
    <article class="card" aria-label={`Cutover ${id}`}>
      <header>
        <h2>{id}</h2>
        <span class="kind">{kind}</span>
        <Pill badge={badge} />
        <span class="version quiet">
          version {version} · epoch {epoch}
        </span>
        <button class="plain" type="button" onClick={() => print()}>
          Print
        </button>
      </header>
      <p class="summary">
        {summary}
        {!flagsDeployed && version > 0 && ' Its flags are not deployed yet.'}
      </p>
      <StageLine stages={cutover.stages} plan={cutover.plan} />
      <NextStep next={cutover.next} />
      <Actions actions={cutover.actions} version={version} onChanged={onChanged} />
      <div class="split">
        <div class="facts">
          <ShareBar sharePpm={cutover.sharePpm} />
          <Dwell cutover={cutover} />
          <RollbackPanel rollback={cutover.rollback} />
          <ReasonsPanel cutover={cutover} />
        </div>
        <div class="facts">
          <Next steps={cutover.steps} commands={cutover.commands} />
          <Comparison cutover={cutover} />
        </div>
      </div>
      <GateTable gates={cutover.gates} atMs={atMs} />
      <Charts cutover={cutover} />
      {kind === 'table' && (
        <TableStrip id={id} table={cutover.table} stageKind={cutover.stageKind} onChanged={onChanged} />
      )}
    </article>
  );
}

const BEFORE_COMPLETION = ['dual_write', 'ramp', 'full'];

function Dwell({ cutover: { stageKind, stage, minutesInStage, dwellMinutes, minutesToEligibility } }: CardProps) {
  if (stageKind === 'disabled' || stageKind === 'rolled_back') return null;
  const stayed = minutes(minutesInStage);
  return (
    <div class="dwell">
      <span>
        <b>{stayed}</b> in {stage}
      </span>
      {BEFORE_COMPLETION.includes(stageKind) && dwellMinutes > 0 && (
        <>
          <span class="quiet">
            {minutesToEligibility > 0 ? `${minutes(minutesToEligibility)} to eligibility` : 'long enough to go on'}
          </span>
          <Bar value={minutesInStage} max={dwellMinutes} label={`${stayed} of ${dwellMinutes} minutes`} />
        </>
      )}
    </div>
  );
}

function RollbackPanel({ rollback }: Pick<CutoverView, 'rollback'>) {
  if (!rollback) return null;
  return (
    <section class="panel tone-bad">
      <h3>
        <Sign tone="bad" />
        Rolled back {duration(rollback.agoMs)} ago, from {rollback.fromStage}
      </h3>
      <p>{rollback.reason}</p>
      <p class="quiet">
        by {rollback.actor}, {dayAndTime(rollback.atMs)}
      </p>
      {rollback.steps.length > 0 && (
        <ol class="seen" aria-label="Steps that were seen done">
          {rollback.steps.map(({ name, tookMs }) => (
            <li key={name}>
              <Sign tone="good" />
              {name.replace('_', ' ')} after {ms(tookMs)}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Why it stays, or why it goes back, one full sentence each. On its way the line of what comes next says it. */
function ReasonsPanel({ cutover: { health, reasons, badge } }: CardProps) {
  if (health === 'healthy' || reasons.length === 0) return null;
  const { tone, title } = panelOf(health, badge.text);
  // The table of gates has the others, a line each.
  const shown = health === 'rolling_back' ? reasons : reasons.slice(0, 1);
  return (
    <section class={`panel tone-${tone}`}>
      <h3>
        <Sign tone={tone} />
        {title}
      </h3>
      <ul>
        {shown.map(({ code, text }) => (
          <li key={`${code} ${text}`}>
            <p>{text}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What comes next and when, and what is still missing for it. */
function NextStep({ next: { text, needs } }: Pick<CutoverView, 'next'>) {
  return (
    <div class="next-line">
      <p>
        <span class="quiet">Next</span> <b>{text}</b>
      </p>
      {needs.length > 0 && (
        <ul>
          {needs.slice(0, MOST_NEEDS).map((need) => (
            <li key={need}>{need}</li>
          ))}
          {needs.length > MOST_NEEDS && <li class="quiet">and {needs.length - MOST_NEEDS} more below</li>}
        </ul>
      )}
    </div>
  );
}

const MOST_NEEDS = 4;

function panelOf(health: CutoverView['health'], badge: string) {
  switch (health) {
    case 'rolling_back':
      return { tone: 'bad', title: 'Guards that fired' } as const;
    case 'held':
    case 'blind':
      return { tone: 'wait', title: `${badge}: what is missing` } as const;
    default:
      return { tone: 'idle', title: 'Waiting for' } as const;
  }
}

function Next({ steps, commands }: Pick<CutoverView, 'steps' | 'commands'>) {
  const named = new Set(steps.map(({ command }) => command));
  const others = commands.filter((command) => !named.has(command));
  return (
    <section class="next">
      {steps.length > 0 && (
        <>
          <h3>What you can do</h3>
          <ul>
            {steps.map(({ text, command }) => (
              <li key={command ?? text}>
                {command && <Command line={command} />}
                {text && <p class={command ? 'quiet' : undefined}>{text}</p>}
              </li>
            ))}
          </ul>
        </>
      )}
      {others.length > 0 && (
        <details>
          <summary>Commands possible now</summary>
          <ul>
            {others.map((command) => (
              <li key={command}>
                <Command line={command} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

/** Both sides since the stage was entered. */
function Comparison({ cutover: { stageKind, figures } }: CardProps) {
  const { primary, shadow, checks, mismatches } = figures;
  if (primary.count + shadow.count === 0 || stageKind === 'disabled' || stageKind === 'rolled_back') return null;
  return (
    <table class="comparison">
      <caption>Since the stage began</caption>
      <thead>
        <tr>
          <td />
          {['calls', 'errors', 'p50', 'p95'].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <SideRow name="Primary" side="primary" figures={primary} />
        <SideRow name="Shadow" side="shadow" figures={shadow} />
      </tbody>
      {checks > 0 && (
        <tfoot>
          <tr>
            <td colSpan={5}>
              {count(checks)} comparisons, {count(mismatches)} differed
            </td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}

type SideRowProps = { name: string; side: 'primary' | 'shadow'; figures: CutoverView['figures']['primary'] };

function SideRow({ name, side, figures }: SideRowProps) {
  return (
    <tr>
      <th scope="row">
        <i class={`swatch ${side}`} />
        {name}
      </th>
      <td>{count(figures.count)}</td>
      <td>{percent(figures.errorRate)}</td>
      <td>{ms(figures.p50Ms)}</td>
      <td>{ms(figures.p95Ms)}</td>
    </tr>
  );
}

function Charts({ cutover: { plots, marks } }: CardProps) {
  const { startMinute } = plots;
  if (plots.plots.length === 0) return null;
  const from = firstMinute(plots.plots);
  return (
    <div class="plots">
      {plots.plots.map((plot) => (
        <Chart key={plot.title} plot={plot} startMinute={startMinute} from={from} marks={marks} />
      ))}
    </div>
  );
}
