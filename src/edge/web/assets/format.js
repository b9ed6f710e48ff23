// Numbers, times and texts as they are shown.

export const NONE = '–';

export const whole = (n) => (n === null || n === undefined || Number.isNaN(n) ? NONE : Math.round(n).toLocaleString('en'));

/** A number with four digits that count. */
export function num(v) {
  if (v === null || v === undefined || Number.isNaN(v)) return NONE;
  if (typeof v !== 'number') return line(String(v));
  if (!Number.isFinite(v)) return v > 0 ? '∞' : '−∞';
  if (Number.isInteger(v) && Math.abs(v) < 1e9) return minus(v.toLocaleString('en'));
  const a = Math.abs(v);
  if (a >= 1e6 || a < 1e-4) return minus(v.toExponential(2));
  return minus(v.toPrecision(4).includes('e') ? v.toExponential(2) : Number(v.toPrecision(4)).toString());
}

const minus = (text) => text.replace(/-/g, '−');

/** How all numbers of a column are written, so that they stand below each other. */
export function columnFormat(values, n, log = false) {
  let small = Infinity, big = 0, ints = true;
  for (let i = 0; i < n; i += 1) {
    const v = values[i];
    if (!Number.isFinite(v)) continue;
    const a = Math.abs(v);
    if (ints && !Number.isInteger(v)) ints = false;
    if (a > big) big = a;
    if (a > 0 && a < small) small = a;
  }
  if (ints) return big < 1e9 ? whole : num;
  if (big >= 1e6 || small < 1e-5 || (small < 1e-3 && big / small > (log ? 100 : 1e5))) {
    return (v) => (Number.isNaN(v) ? NONE : v === 0 ? '0' : minus(v.toExponential(2)));
  }
  const digits = Math.min(6, Math.max(0, 4 - Math.ceil(Math.log10(big)), small < 0.01 ? 5 : 0));
  return (v) => (Number.isNaN(v) ? NONE : minus(v.toFixed(digits)));
}

export function duration(s) {
  if (s === null || s === undefined || Number.isNaN(s)) return NONE;
  if (s < 0) return `−${duration(-s)}`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(s % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(n) {
  if (n === null || n === undefined) return NONE;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let u = 0;
  while (n >= 1000 && u < 4) { n /= 1000; u += 1; }
  return `${u === 0 ? n : n.toFixed(1)} ${units[u]}`;
}

export function clock(unix) {
  if (!unix) return NONE;
  const d = new Date(unix * 1000);
  const two = (n) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}`;
}

// Characters that command a terminal or turn the direction of writing are shown as signs, not obeyed.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const sign = (c) => {
  const code = c.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
};

/** A text of several lines: colours of terminals are left out, other controls shown. */
export const lines = (text) => String(text).replace(/\u001b\[[0-9;]*m/g, '').replace(/\r\n/g, '\n').replace(CONTROL, sign);

/** A text of one line. */
export const line = (text) => lines(text).replace(/[\n\t]+/g, ' ');

/** As the beginning of a sentence. */
export const sentence = (text) => { const t = line(text); return t.charAt(0).toUpperCase() + t.slice(1); };

export const json = (v) => (typeof v === 'string' ? line(v) : typeof v === 'number' ? num(v) : v === null || v === undefined ? NONE : line(JSON.stringify(v)));

/** What a person writes about a number of things. */
export const count = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;
