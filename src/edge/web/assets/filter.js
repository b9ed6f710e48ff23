// The filter: words that must occur, and expressions such as `loss < 0.2 and (act = relu or not failures > 0)`.
import { STATUS } from './dom.js';

const TOKEN = /\s*(?:"((?:[^"\\]|\\.)*)"|(<=|>=|==|!=|<|>|=|~)|([()])|([^\s()<>=!~"]+))/y;

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (m === null) {
      if (text.slice(at).trim() === '') break;
      throw new Error(`can’t read “${text.slice(at).trim()}”`);
    }
    if (m[1] !== undefined) found.push({ kind: 'word', text: m[1].replace(/\\(.)/g, '$1'), quoted: true });
    else if (m[2]) found.push({ kind: 'op', text: m[2] === '==' ? '=' : m[2] });
    else if (m[3]) found.push({ kind: m[3] });
    else found.push({ kind: 'word', text: m[4] });
  }
  return found;
}

const keyword = (t, word) => t !== undefined && t.kind === 'word' && !t.quoted && t.text.toLowerCase() === word;

/** Names of a run's trials that an expression may use, with where their values are. */
export function names(trials, header) {
  const all = new Map();
  const now = header.elapsed ?? 0;
  const plain = {
    number: 'number', trial: 'number', iteration: 'iteration', iterations: 'iteration', value: 'value', best: 'best_value', best_value: 'best_value',
    started: 'started', ended: 'ended', attempts: 'attempts', failures: 'failures', priority: 'priority', why: 'why', status: 'status',
  };
  for (const [name, key] of Object.entries(plain)) all.set(name, { column: trials.get(key), status: key === 'status' });
  all.set('time', {
    of: (row) => {
      const from = trials.data('started')[row], to = trials.data('ended')[row];
      return (Number.isNaN(to) ? now : to) - from;
    },
  });
  for (const name of trials.parameters) {
    // A level below another one is written with a dot in experiment files.
    all.set(name.replaceAll('/', '.'), { column: trials.get(`p:${name}`) });
    all.set(name, { column: trials.get(`p:${name}`) });
  }
  for (const name of trials.metrics) if (!all.has(name) || name in plain) all.set(name, { column: trials.get(`m:${name}`) });
  return all;
}

/** Compiles a filter to a test of one row. Throws an error in words if it can't be read. */
export function compile(text, trials, header) {
  const list = tokens(text);
  if (list.length === 0) return null;
  const known = names(trials, header);
  let at = 0;

  function either() {
    const parts = [both()];
    while (keyword(list[at], 'or')) { at += 1; parts.push(both()); }
    return parts.length === 1 ? parts[0] : (row) => parts.some((p) => p(row));
  }
  function both() {
    const parts = [one()];
    while (at < list.length && list[at].kind !== ')' && !keyword(list[at], 'or')) {
      if (keyword(list[at], 'and')) at += 1;
      parts.push(one());
    }
    if (parts.length === 1) return parts[0];
    return (row) => {
      for (const p of parts) if (!p(row)) return false;
      return true;
    };
  }
  function one() {
    const t = list[at];
    if (t === undefined) throw new Error('something is missing at the end');
    at += 1;
    if (keyword(t, 'not')) { const inner = one(); return (row) => !inner(row); }
    if (t.kind === '(') {
      const inner = either();
      if (list[at]?.kind !== ')') throw new Error('a ) is missing');
      at += 1;
      return inner;
    }
    if (t.kind !== 'word') throw new Error(`“${t.text ?? t.kind}” stands where a name or a word should`);
    if (list[at]?.kind !== 'op') return contains(trials, t.text);
    const op = list[at].text, value = list[at + 1];
    if (value?.kind !== 'word') throw new Error(`${t.text} ${op} what?`);
    at += 2;
    const column = known.get(t.text) ?? known.get(t.text.toLowerCase());
    if (column === undefined) throw new Error(`there is no column “${t.text}”${near(t.text, known)}`);
    return compare(column, op, value.text);
  }

  const test = either();
  if (at < list.length) throw new Error(`“${list[at].text ?? list[at].kind}” is one too many`);
  return test;
}

function near(name, known) {
  const close = [...known.keys()].filter((k) => k.startsWith(name.slice(0, 2)) || name.includes(k) || k.includes(name));
  return close.length > 0 ? `; did you mean “${close[0]}”?` : '';
}

function compare(source, op, text) {
  const number = Number(text.replace('−', '-'));
  if (source.status) {
    const wanted = text.toLowerCase();
    const hits = STATUS.map((s) => s.toLowerCase().startsWith(wanted) || s.toLowerCase() === wanted);
    const data = source.column.data;
    return op === '!=' ? (row) => !hits[data[row]] : (row) => hits[data[row]];
  }
  if (op === '~' || source.column?.words) return words(source, op, text, number);
  if (Number.isNaN(number)) throw new Error(`“${text}” isn’t a number`);
  const of = source.of ?? ((data) => (row) => data[row])(source.column.data);
  switch (op) {
    case '<': return (row) => of(row) < number;
    case '<=': return (row) => of(row) <= number;
    case '>': return (row) => of(row) > number;
    case '>=': return (row) => of(row) >= number;
    case '!=': return (row) => of(row) !== number;
    default: return (row) => of(row) === number;
  }
}

// Of words each different one is looked at once, then rows only compare codes.
function words(source, op, text, number) {
  const column = source.column;
  if (!column) throw new Error('time has no text');
  const wanted = text.toLowerCase();
  if (column.words === null) return (row) => String(column.data[row]).includes(wanted);
  const hits = column.words.map((word) => {
    const has = word.toLowerCase();
    if (op === '~') return has.includes(wanted);
    if (op === '=') return has === wanted;
    if (op === '!=') return has !== wanted;
    const a = Number(word);
    const [x, y] = Number.isNaN(a) || Number.isNaN(number) ? [has, wanted] : [a, number];
    return op === '<' ? x < y : op === '<=' ? x <= y : op === '>' ? x > y : x >= y;
  });
  return (row) => hits[column.data[row]] === true;
}

/** A word by itself: in a trial's number, status, reason, or any value that is text. */
function contains(trials, text) {
  const wanted = text.toLowerCase();
  const status = STATUS.map((s) => s.toLowerCase().includes(wanted));
  const tests = [];
  for (const column of trials.columns.values()) {
    if (column.words === null) continue;
    const hits = column.words.map((w) => w.toLowerCase().includes(wanted));
    if (hits.includes(true)) tests.push({ data: column.data, hits });
  }
  const number = trials.data('number'), state = trials.data('status');
  const digits = /^\d+$/.test(wanted);
  return (row) => {
    if (status[state[row]]) return true;
    if (digits && String(number[row]).startsWith(wanted)) return true;
    for (const { data, hits } of tests) if (hits[data[row]] === true) return true;
    return false;
  };
}

/** The rows that pass, as numbers of rows. */
export function pass(test, n) {
  const rows = new Uint32Array(n);
  let found = 0;
  for (let row = 0; row < n; row += 1) if (test === null || test(row)) { rows[found] = row; found += 1; }
  return rows.subarray(0, found);
}

/** Sorts rows by a column; what has no value stands last, either way. */
export function sorted(rows, column, down) {
  const data = column.data;
  const ranks = column.words === null ? null : column.rank();
  const keys = new Float64Array(rows.length);
  let last = 0;
  const order = new Uint32Array(rows.length);
  const missing = [];
  for (let i = 0; i < rows.length; i += 1) {
    const v = data[rows[i]];
    if (Number.isNaN(v)) { missing.push(rows[i]); continue; }
    keys[last] = ranks === null ? v : ranks[v];
    order[last] = last;
    last += 1;
  }
  const present = rows.length === last ? rows : rows.filter((row) => !Number.isNaN(data[row]));
  const head = order.subarray(0, last);
  // Equal values keep their order, so that a column sorted before still shows.
  head.sort(down ? (a, b) => keys[b] - keys[a] || a - b : (a, b) => keys[a] - keys[b] || a - b);
  const out = new Uint32Array(rows.length);
  for (let i = 0; i < last; i += 1) out[i] = present[head[i]];
  for (let i = 0; i < missing.length; i += 1) out[last + i] = missing[i];
  return out;
}
