/** Which of the known names was meant by one that nobody knows. */

/** @returns null when none is near */
module.exports.meantBy = (name, known) => {
  const plain = (text) =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z]/g, '')
      .replace(/^crossfade/, '');
  const far = known.map((one) => [one, distance(plain(name.slice(0, 64)), plain(one))]);
  const [nearest, away] = far.reduce((best, one) => (one[1] < best[1] ? one : best));
  return away <= Math.max(2, nearest.length / 3) ? nearest : null;
};

/** Letters to change, put in or take out. */
function distance(a, b) {
  const first = Array.from({ length: b.length + 1 }, (_, at) => at);
  return [...a].reduce((row, letter, down) => {
    const next = [down + 1];
    for (let at = 1; at <= b.length; at += 1)
      next.push(Math.min(row[at - 1] + (letter === b[at - 1] ? 0 : 1), row[at] + 1, next[at - 1] + 1));
    return next;
  }, first)[b.length];
}
