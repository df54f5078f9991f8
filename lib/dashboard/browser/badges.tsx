/** Small parts that several places use. */

import { createContext } from 'preact';
import { useContext, useState } from 'preact/hooks';
import type { Badge, Tone } from '../sentences.ts';

/** One sign per tone, drawn, so that colour is never the only signal and no font decides how it looks. */
const SIGNS: Readonly<Record<Tone, readonly string[]>> = {
  idle: ['M4 8h8'],
  good: ['M3.5 8.5l3 3 6-7'],
  wait: ['M5.5 4v8', 'M10.5 4v8'],
  bad: ['M8 3.5v5.5', 'M8 12v.5'],
  done: ['M3 8.5l2.5 2.5 5-6', 'M8.5 11l5-6'],
};

export function Sign({ tone }: { tone: Tone }) {
  return (
    <svg class="sign" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {SIGNS[tone].map((stroke) => (
        <path key={stroke} d={stroke} />
      ))}
    </svg>
  );
}

export function Pill({ badge: { text, tone } }: { badge: Badge }) {
  return (
    <span class={`badge tone-${tone}`}>
      <Sign tone={tone} />
      {text}
    </span>
  );
}

/** A bar; `label` is what a screen reader says. */
export function Bar(bar: { value: number; max: number; label: string; class?: string }) {
  return <progress class={bar.class} value={Math.min(bar.value, bar.max)} max={bar.max || 1} aria-label={bar.label} />;
}

/** Says something to a screen reader. */
export const Announce = createContext<(text: string) => void>(() => {});

/** False where the browser does not allow it, or knows no clipboard: it has none for a page that did not come encrypted. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

const SHOWN_FOR_MS = 1500;

/** A command as it is typed, for the Crossfade that this page is of. The commands know the first port of a machine by themselves. */
const typed = (command: string, { origin, port, hostname }: Pick<Location, 'origin' | 'port' | 'hostname'>) => {
  const isUsual = port === '3000' && ['127.0.0.1', 'localhost'].includes(hostname);
  return `npx --no-install ${command}${isUsual ? '' : ` --url ${origin}`}`;
};

/** A command to copy. What is copied is what is shown; lines break between its words only, where that is possible. */
export function Command({ line: command }: { line: string }) {
  const line = typed(command, location);
  const announce = useContext(Announce);
  const [label, setLabel] = useState('Copy');
  const copy = async () => {
    const isCopied = await toClipboard(line);
    announce(isCopied ? `Copied: ${line}` : 'Copying is not allowed here; select the command instead.');
    setLabel(isCopied ? 'Copied' : 'Select it');
    setTimeout(() => {
      setLabel('Copy');
      // The same words are said again only after others.
      announce('');
    }, SHOWN_FOR_MS);
  };
  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard selects the whole command from here */}
      <code tabIndex={0}>
        {line.split(' ').flatMap((word, index) => [index > 0 && ' ', <span key={index}>{word}</span>])}
      </code>
      <button type="button" aria-label={`Copy: ${line}`} onClick={copy}>
        {label}
      </button>
    </div>
  );
}
