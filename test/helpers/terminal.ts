/** A terminal in memory, with the emulator that editors use: what a person sees after everything was written. */

import xterm from '@xterm/headless';

export type Screen = {
  /** What is on the screen, and all that has scrolled away above it; lines without their blanks at the end. */
  lines(): string[];
  /** What is on the screen alone. */
  visible(): string[];
};

export async function screenOf(written: string, columns: number, rows: number): Promise<Screen> {
  const terminal = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
  // A terminal in its usual mode begins a new line at the left.
  await new Promise<void>((done) => terminal.write(written.replaceAll('\n', '\r\n'), done));
  const { buffer } = terminal;
  const all = Array.from({ length: buffer.active.length }, (_, index) =>
    buffer.active.getLine(index)!.translateToString(true),
  );
  const { baseY } = buffer.active;
  terminal.dispose();
  return { lines: () => withoutEnd(all), visible: () => withoutEnd(all.slice(baseY)) };
}

function withoutEnd(lines: readonly string[]): string[] {
  return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
}
