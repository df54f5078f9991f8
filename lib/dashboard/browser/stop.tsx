/**
 * The emergency stop: a dialog that says what will happen, asks for a reason, and shows what did. Repeating the same
 * request after a lost answer is safe, since it carries the same idempotency key.
 */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { DashboardData, StopAnswer } from '../data.ts';
import { send } from './answers.ts';
import { Sign } from './badges.tsx';
import { share } from './format.ts';

type Step =
  | { at: 'reason' }
  | { at: 'no_reason' }
  | { at: 'stopping' }
  | { at: 'not_confirmed'; why: string }
  | { at: 'stopped'; answer: StopAnswer };

type StopProps = {
  cutovers: readonly Row[];
  /** Called when the stop was accepted. */
  onStopped: () => void;
};
type Row = DashboardData['cutovers'][number];

export function EmergencyStop({ cutovers, onStopped }: StopProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const reason = useRef<HTMLTextAreaElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const attempt = useRef({ key: '', reason: '' });
  const [step, setStep] = useState<Step>({ at: 'reason' });
  const isStopped = step.at === 'stopped';
  const isBusy = isStopped || step.at === 'stopping';
  useLayoutEffect(() => {
    if (isStopped) cancel.current!.focus();
  }, [isStopped]);

  const open = () => {
    setStep({ at: 'reason' });
    reason.current!.value = '';
    dialog.current!.showModal();
    reason.current!.focus();
  };
  const confirm = async (event: Event) => {
    event.preventDefault();
    const said = reason.current!.value.trim();
    if (said === '') return setStep({ at: 'no_reason' });
    setStep({ at: 'stopping' });
    if (attempt.current.reason !== said) attempt.current = { key: crypto.randomUUID(), reason: said };
    const next = await stop(attempt.current);
    setStep(next);
    if (next.at !== 'stopped') return;
    attempt.current = { key: '', reason: '' };
    onStopped();
  };

  return (
    <>
      <button id="stop-open" class="danger" type="button" aria-haspopup="dialog" onClick={open}>
        Emergency stop
      </button>
      <dialog id="stop" ref={dialog} aria-labelledby="stop-title" aria-describedby="stop-text">
        <form method="dialog" onSubmit={confirm}>
          <h2 id="stop-title">Stop everything?</h2>
          <WhatHappens cutovers={cutovers} />
          <label for="stop-reason">Reason, kept in the audit with your name</label>
          <textarea
            id="stop-reason"
            ref={reason}
            rows={3}
            maxLength={1000}
            required
            autocomplete="off"
            readOnly={isBusy}
          />
          <div id="stop-result" role="status">
            <Result step={step} />
          </div>
          <div class="buttons">
            <button ref={cancel} type="button" onClick={() => dialog.current!.close()}>
              {isStopped ? 'Close' : 'Cancel'}
            </button>
            <button class="danger solid" type="submit" disabled={isBusy} hidden={isStopped}>
              Stop everything
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

const TAKEN_BACK = ['dual_write', 'ramp', 'full'];

function WhatHappens({ cutovers }: Pick<StopProps, 'cutovers'>) {
  const back = cutovers.flatMap((row) => ('stageKind' in row && TAKEN_BACK.includes(row.stageKind) ? [row] : []));
  return (
    <div id="stop-text">
      <p>
        Reads of every cutover between <code>dual_write</code> and 100 % return to the primary at once, and these
        cutovers are rolled back: no row is lost, but they start again from the beginning.
      </p>
      {back.length > 0 ? (
        <ul class="taken-back">
          {back.map(({ id, stage, sharePpm }) => (
            <li key={id}>
              <b>{id}</b> {stage}, {share(sharePpm)}
            </li>
          ))}
        </ul>
      ) : (
        <p>None is there now.</p>
      )}
      <p>
        Tables that were promoted stay as they are. Nothing starts or advances until the stop is lifted with{' '}
        <code>
          crossfade reset system <span>--confirm</span> system
        </code>
        .
      </p>
    </div>
  );
}

async function stop({ key, reason }: { key: string; reason: string }): Promise<Step> {
  // Past the stream that wakes the publisher, and that may be silent, for as long as the answer waits for flags.
  const asks = setInterval(() => send('v1/flags/publish', {}), 1_000);
  const answer = await send<StopAnswer>('v1/system/emergency-stop', { reason }, { 'Idempotency-Key': key });
  clearInterval(asks);
  switch (answer.kind) {
    case 'answered':
      return { at: 'stopped', answer: answer.body };
    case 'refused':
      return { at: 'not_confirmed', why: answer.why };
    case 'unanswered':
      return {
        at: 'not_confirmed',
        why: 'the server did not answer, so it is not known whether the stop was carried out.',
      };
  }
}

function Result({ step }: { step: Step }) {
  switch (step.at) {
    case 'reason':
      return null;
    case 'no_reason':
      return <p class="panel tone-wait">Say why: the reason is what the next person reads.</p>;
    case 'stopping':
      return <p class="quiet">Stopping …</p>;
    case 'not_confirmed':
      return (
        <p class="panel tone-bad">
          <Sign tone="bad" />
          Not confirmed: {step.why} Try again, or use 'crossfade stop --reason …'.
        </p>
      );
    case 'stopped':
      return <Stopped answer={step.answer} />;
  }
}

function Stopped({ answer: { cutovers, published } }: { answer: StopAnswer }) {
  const isComplete = published && cutovers.every(({ problem }) => !problem);
  const tone = isComplete ? 'good' : 'wait';
  return (
    <div class={`panel tone-${tone}`}>
      <h3>
        <Sign tone={tone} />
        {isComplete ? 'Everything is stopped' : 'Stopped, but not everything is done'}
      </h3>
      {cutovers.length > 0 ? (
        <ul>
          {cutovers.map(({ id, from, to, problem }) => (
            <li key={id}>
              <b>{id}</b> {problem ? `could not be rolled back: ${problem}` : `went from ${from} to ${to}`}
            </li>
          ))}
        </ul>
      ) : (
        <p>No cutover had anything to roll back.</p>
      )}
      <p>{published ? 'The flags are deployed.' : 'The flags are not deployed yet; every tick tries again.'}</p>
    </div>
  );
}
