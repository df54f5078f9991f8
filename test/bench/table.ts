/** Prints a benchmark's rows, with the ratio of each to the one it is compared with in the same run. */

export type Line = { what: string; value: number; unit: string; ratioTo?: string };

export function printTable(title: string, lines: readonly Line[]): void {
  const byName = new Map(lines.map((line) => [line.what, line.value]));
  const width = Math.max(...lines.map(({ what }) => what.length));
  console.log(`\n${title}`);
  for (const { what, value, unit, ratioTo } of lines) {
    const ratio = ratioTo === undefined ? '' : `   ${(value / byName.get(ratioTo)!).toFixed(2)} × ${ratioTo}`;
    const shown = value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
    console.log(`  ${what.padEnd(width)}  ${shown.padStart(12)} ${unit}${ratio}`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
