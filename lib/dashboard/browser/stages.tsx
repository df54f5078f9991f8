/** The stage line of a plan and the share of reads on each side. */

import type { CutoverView } from '../data.ts';
import type { StageView } from '../row.ts';
import { Bar, Sign } from './badges.tsx';
import { share } from './format.ts';

const SIGN_OF = { passed: 'good', current: null, ahead: null, undone: 'bad' } as const;
const SPOKEN = { passed: 'passed', current: 'now', ahead: 'ahead', undone: 'rolled back from here' } as const;
/** With more, only the names that matter now have room. */
const MOST_NAMED = 10;

export function StageLine({ stages, plan }: Pick<CutoverView, 'stages' | 'plan'>) {
  return (
    <ol class={stages.length > MOST_NAMED ? 'stages dense' : 'stages'} aria-label={`Stages of plan ${plan}`}>
      {stages.map((stage) => (
        <Stage key={stage.name} stage={stage} />
      ))}
    </ol>
  );
}

function Stage({ stage: { name, kind, sharePpm, progress } }: { stage: StageView }) {
  const reads = kind === 'ramp' || kind === 'full' ? share(sharePpm) : '';
  const mark = SIGN_OF[progress];
  return (
    <li class={progress} aria-current={progress === 'current' ? 'step' : undefined} title={`${name} ${reads}`}>
      <span class="dot">{mark && <Sign tone={mark} />}</span>
      <span class="name">{name}</span>
      <span class="reads">{reads}</span>
      <span class="visually-hidden">, {SPOKEN[progress]}</span>
    </li>
  );
}

const ALL_PPM = 1_000_000;

export function ShareBar({ sharePpm }: Pick<CutoverView, 'sharePpm'>) {
  return (
    <div class="share">
      <span>
        <i class="swatch shadow" />
        Reads: shadow <b>{share(sharePpm)}</b>
      </span>
      <span>
        primary <b>{share(ALL_PPM - sharePpm)}</b>
        <i class="swatch primary" />
      </span>
      <Bar value={sharePpm} max={ALL_PPM} label={`${share(sharePpm)} of the reads go to the shadow`} />
    </div>
  );
}
