/**
 * What a path means to servers that read it in another way: that decode it once more, take `\` for a slash, cut off what
 * follows a semicolon, or take bytes for a character that UTF-8 writes otherwise. Pure.
 */

/** Two to four bytes for a character of ASCII, as `%C0%AE` for a dot: no text in UTF-8 has them. */
const OVERLONG = /%c[01]%[89ab]|%e0%[89]|%f0%8/i;

/** True when no segment is `..` or `.` and none has a NUL, for each server that reads the path. */
export function staysBelow(path: string): boolean {
  let read = path;
  for (let before = ''; read !== before; ) {
    if (OVERLONG.test(read)) return false;
    before = read;
    read = read.replaceAll(/%([0-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  }
  return read.split(/[/\\]/).every((segment) => !['.', '..'].includes(segment.split(';')[0]!)) && !read.includes('\0');
}
