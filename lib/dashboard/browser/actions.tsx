/**
 * What can be done from here: a button each, and a dialog that says what it will do, asks for what must be said, and shows what came of it.
 * The request is about the version that was shown, so what somebody else has changed meanwhile refuses it; and repeating it after a
 * lost answer is safe, since it carries the same idempotency key.
 */

import { useContext, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Action } from '../actions.ts';
import { send } from './answers.ts';
import { Announce, Sign } from './badges.tsx';

type ActionsProps = {
  actions: readonly Action[];
  /** Of the cutover as it is shown; null where an action is about no cutover. */
  version: number | null;
  onChanged(): void;
};

export function Actions({ actions, version, onChanged }: ActionsProps) {
  const [opened, open] = useState<{ action: Action; version: number | null } | null>(null);
  if (actions.length === 0) return null;
  return (
    <div class="actions">
      {actions.map((action) => (
        <button
          key={action.path}
          type="button"
          class={action.tone === 'bad' ? 'danger' : undefined}
          aria-haspopup="dialog"
          onClick={() => open({ action, version })}
        >
          {action.name}
        </button>
      ))}
      {opened && <Confirm {...opened} onClose={() => open(null)} onChanged={onChanged} />}
    </div>
  );
}

type ConfirmProps = {
  action: Action;
  version: number | null;
  onClose(): void;
  onChanged(): void;
};

function Confirm({ action, version, onClose, onChanged }: ConfirmProps) {
  const { name, does, reason, confirm, tone } = action;
  const dialog = useRef<HTMLDialogElement>(null);
  const attempt = useRef({ key: '', said: '' });
  const [said, say] = useState('');
  const [typed, type] = useState('');
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const announce = useContext(Announce);
  const id = useId();
  useLayoutEffect(() => dialog.current!.showModal(), []);

  const isReady = (!reason || said.trim() !== '') && (confirm === null || typed === confirm);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    setBusy(true);
    if (attempt.current.key === '' || attempt.current.said !== said)
      attempt.current = { key: crypto.randomUUID(), said };
    const why = await post(action, { version, reason: said.trim(), key: attempt.current.key });
    setBusy(false);
    if (why !== null) return setProblem(why);
    announce(`${name}: done.`);
    onChanged();
    dialog.current!.close();
  };

  return (
    <dialog ref={dialog} aria-labelledby={`${id}-title`} onClose={onClose}>
      <form method="dialog" onSubmit={submit}>
        <h2 id={`${id}-title`}>{name}?</h2>
        {does.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        {reason && (
          <>
            <label for={`${id}-reason`}>Reason, kept in the audit with your name</label>
            <textarea
              id={`${id}-reason`}
              rows={2}
              maxLength={1000}
              required
              autocomplete="off"
              value={said}
              onInput={({ currentTarget }) => say(currentTarget.value)}
            />
          </>
        )}
        {confirm !== null && (
          <>
            <label for={`${id}-confirm`}>
              Type <code>{confirm}</code> to confirm
            </label>
            <input
              id={`${id}-confirm`}
              type="text"
              required
              autocomplete="off"
              value={typed}
              onInput={({ currentTarget }) => type(currentTarget.value)}
            />
          </>
        )}
        <Problem why={problem} />
        <div class="buttons">
          <button type="button" onClick={() => dialog.current!.close()}>
            Cancel
          </button>
          <button class={tone === 'bad' ? 'danger solid' : 'solid'} type="submit" disabled={!isReady || isBusy}>
            {name}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function Problem({ why }: { why: string }) {
  return (
    <div role="status">
      {why && (
        <p class="panel tone-bad">
          <Sign tone="bad" />
          Not done: {why}
        </p>
      )}
    </div>
  );
}

type Said = { version: number | null; reason: string; key: string };

/** Null when it was done, else why not. */
async function post({ path, body, reason }: Action, said: Said): Promise<string | null> {
  const answer = await send(
    path,
    { ...body, ...(reason ? { reason: said.reason } : {}) },
    {
      'Idempotency-Key': said.key,
      ...(said.version === null ? {} : { 'If-Match': `"${said.version}"` }),
    },
  );
  if (answer.kind === 'answered') return null;
  return answer.kind === 'refused' ? answer.why : 'the server did not answer. Trying again is safe.';
}
