/** Rows that need a person: keys in quarantine, keys that differ, and any key compared on both sides now. */

import type { ComponentChildren } from 'preact';
import { useContext, useId, useLayoutEffect, useState } from 'preact/hooks';
import type { RowValues } from '../../core/table/reading.ts';
import type { TableView } from '../data.ts';
import { Actions } from './actions.tsx';
import { ask, send } from './answers.ts';
import { Announce, Sign } from './badges.tsx';
import { count } from './format.ts';

type RowsProps = { id: string; table: TableView; onChanged(): void };

export function Rows({ id, table, onChanged }: RowsProps) {
  return (
    <>
      <QuarantinedKeys id={id} table={table} onChanged={onChanged} />
      <DivergentKeys id={id} verification={table.verification} onChanged={onChanged} />
      {table.armed !== 'none' && <AnyKey id={id} />}
    </>
  );
}

// ------------------------------------------------------------------------------------------------------- quarantine

function QuarantinedKeys({ id, table, onChanged }: RowsProps) {
  const { quarantine, quarantined, quarantineActions } = table;
  if (quarantine.length === 0) return null;
  const part = quarantined > quarantine.length ? ` (${quarantine.length} of ${count(quarantined)})` : '';
  return (
    <>
      <List caption={`Keys in quarantine${part}`} heads={['Key', 'SQLSTATE', 'Reason', 'Tries', '']}>
        {quarantine.map(({ key, sqlstate, reason, attempts, actions }) => (
          <tr key={key}>
            <td>
              <code>{key}</code>
            </td>
            <td>
              <code>{sqlstate}</code>
            </td>
            <td class="reason">{reason}</td>
            <td>{count(attempts)}</td>
            <td>
              <Actions actions={actions} version={null} onChanged={onChanged} />
            </td>
          </tr>
        ))}
      </List>
      <div class="after-list">
        <Actions actions={quarantineActions} version={null} onChanged={onChanged} />
        <Download id={id} many={quarantined} />
      </div>
    </>
  );
}

type Quarantined = { keys: readonly { key: string }[] };
const IN_PAGE = 1000;

/** All of them, as the API lists them, into one file. */
function Download({ id, many }: { id: string; many: number }) {
  const announce = useContext(Announce);
  const [problem, setProblem] = useState('');
  const download = async () => {
    const keys: { key: string }[] = [];
    for (let after = ''; ; after = keys.at(-1)!.key) {
      const path = `v1/cutovers/${id}/quarantine?${new URLSearchParams({ limit: String(IN_PAGE), ...(after && { after }) })}`;
      const answer = await ask<Quarantined>(path, {});
      if (answer.kind !== 'answered') return setProblem(whyNot(answer));
      keys.push(...answer.body.keys);
      if (answer.body.keys.length < IN_PAGE) break;
    }
    save(`${id}-quarantine.json`, JSON.stringify(keys, null, 2));
    setProblem('');
    announce(`${count(keys.length)} keys saved.`);
  };
  return (
    <>
      <button type="button" onClick={download}>
        Save all {count(many)} as JSON
      </button>
      {problem && <p class="warn">Not saved: {problem}</p>}
    </>
  );
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

// ------------------------------------------------------------------------------------------------------ differences

type DivergentProps = Pick<RowsProps, 'id' | 'onChanged'> & Pick<TableView, 'verification'>;

function DivergentKeys({ id, verification, onChanged }: DivergentProps) {
  if (!verification || verification.samples.length === 0) return null;
  const { samples, divergences, actions } = verification;
  return (
    <>
      <List
        caption={`First keys that differ (${samples.length} of ${count(divergences)})`}
        heads={['Key', 'Columns', 'Now']}
      >
        {samples.map(({ key, columns }) => (
          <tr key={key}>
            <td>
              <code>{key}</code>
            </td>
            <td>{columns.join(', ') || 'the row is on one side only'}</td>
            <td>
              <Compared id={id} of={key} />
            </td>
          </tr>
        ))}
      </List>
      <div class="after-list">
        <Actions actions={actions} version={null} onChanged={onChanged} />
      </div>
    </>
  );
}

/** A key that somebody asks about. */
function AnyKey({ id }: { id: string }) {
  const [typed, type] = useState('');
  const [asked, ask] = useState('');
  const field = useId();
  return (
    <form
      class="any-key"
      onSubmit={(event) => {
        event.preventDefault();
        ask(typed.trim());
      }}
    >
      <label for={field}>Look at a key</label>
      <input
        id={field}
        type="text"
        placeholder={'{"id": 5}'}
        autocomplete="off"
        value={typed}
        onInput={({ currentTarget }) => type(currentTarget.value)}
      />
      <button type="submit" disabled={typed.trim() === ''}>
        Compare
      </button>
      {asked !== '' && <Compared key={asked} id={id} of={asked} atOnce />}
    </form>
  );
}

type Comparison = {
  primaryHash: string | null;
  shadowHash: string | null;
  equal: boolean;
  differingColumns: readonly string[];
  late: boolean;
  quarantined: boolean;
};
type CompareProps = { id: string; of: string; atOnce?: boolean };

/** Both sides of a key as they are now. */
function Compared({ id, of, atOnce = false }: CompareProps) {
  const [seen, see] = useState<Comparison | string | null>(null);
  const compare = async () => {
    const answer = await ask<Comparison>(`v1/cutovers/${id}/record?${new URLSearchParams({ key: of })}`, {});
    see(answer.kind === 'answered' ? answer.body : whyNot(answer));
  };
  useLayoutEffect(() => {
    if (atOnce) void compare();
  }, []);
  return (
    <div class="compared" role="status">
      {!atOnce && (
        <button type="button" aria-label={`Compare ${of}`} onClick={compare}>
          Compare
        </button>
      )}
      {typeof seen === 'string' ? (
        <span class="warn">{seen}</span>
      ) : (
        seen && (
          <>
            <Outcome {...seen} />
            <Values id={id} of={of} differ={seen.differingColumns} />
          </>
        )
      )}
    </div>
  );
}

function Outcome({ equal, primaryHash, shadowHash, differingColumns, late, quarantined }: Comparison) {
  const tone = equal ? 'good' : late ? 'wait' : 'bad';
  const where =
    primaryHash === null
      ? shadowHash === null
        ? 'on neither side'
        : 'on the shadow only'
      : shadowHash === null
        ? 'on the primary only'
        : equal
          ? 'equal'
          : `differs in ${differingColumns.join(', ')}`;
  return (
    <span class={`tone-${tone}`}>
      <Sign tone={tone} />
      {where}
      {quarantined ? ', in quarantine' : late ? ', a change waits' : ''}
    </span>
  );
}

/** For who may see them: when somebody asks, and never before. */
function Values({ id, of, differ }: { id: string; of: string; differ: readonly string[] }) {
  const [seen, see] = useState<RowValues | string | null>(null);
  const show = async () => {
    const answer = await send<RowValues>(`v1/cutovers/${id}/record/values`, { key: of });
    see(answer.kind === 'answered' ? answer.body : whyNot(answer));
  };
  if (typeof seen === 'string') return <span class="warn">{seen}</span>;
  if (!seen)
    return (
      <button type="button" aria-label={`Values of ${of}`} onClick={show}>
        Values
      </button>
    );
  const text = (there: boolean, name: string | null, value: string | null) =>
    there && name !== null ? (value ?? 'NULL') : '–';
  return (
    <List caption={of} heads={['Column', 'Primary', 'Shadow']}>
      {seen.columns.map(({ primary, shadow, redacted, primaryValue, shadowValue }) => {
        const names = [...new Set([primary, shadow])].flatMap((name) => name ?? []);
        return (
          <tr key={names[0]} class={names.some((name) => differ.includes(name)) ? 'warn' : undefined}>
            <td>{names.join(' → ')}</td>
            <td>{redacted ? 'redacted' : text(seen.primary, primary, primaryValue)}</td>
            <td>{redacted ? 'redacted' : text(seen.shadow, shadow, shadowValue)}</td>
          </tr>
        );
      })}
    </List>
  );
}

const whyNot = (answer: { kind: 'refused'; why: string } | { kind: 'unanswered' }): string =>
  answer.kind === 'refused' ? answer.why : 'the server did not answer.';

// ------------------------------------------------------------------------------------------------------------ lists

type ListProps = { caption: string; heads: readonly string[]; children: ComponentChildren };

function List({ caption, heads, children }: ListProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: wider than a phone, and scrolled by keyboard from here
    <section class="list" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {heads.map((name) => (
              <th key={name} scope="col">
                {name || <span class="visually-hidden">What can be done</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
