// The trials of a run as columns: typed arrays that grow, and are changed in place by what happens.
import { line } from './format.js';

/** One column: numbers, or codes of words as soon as one value isn't a number. */
export class Column {
  constructor(capacity) {
    this.data = new Float64Array(capacity).fill(NaN);
    this.words = null;
    this.index = null;
    this.ranks = null;
  }

  grow(capacity) {
    const data = new Float64Array(capacity).fill(NaN);
    data.set(this.data);
    this.data = data;
  }

  set(row, value) {
    if (value === null || value === undefined) this.data[row] = NaN;
    else if (typeof value === 'number' && this.words === null) this.data[row] = value;
    else this.data[row] = this.code(value);
  }

  code(value) {
    if (this.words === null) this.becomeWords();
    const word = typeof value === 'string' ? value : JSON.stringify(value);
    let code = this.index.get(word);
    if (code === undefined) {
      code = this.words.length;
      this.words.push(word);
      this.index.set(word, code);
      this.ranks = null;
    }
    return code;
  }

  becomeWords() {
    this.words = [];
    this.index = new Map();
    for (let i = 0; i < this.data.length; i += 1) {
      if (!Number.isNaN(this.data[i])) this.data[i] = this.code(this.data[i]);
    }
  }

  /** Where each word stands in the order of the alphabet. */
  rank() {
    if (this.ranks === null) {
      const order = this.words.map((_, i) => i).sort((a, b) => this.words[a].localeCompare(this.words[b], 'en', { numeric: true }));
      this.ranks = new Float64Array(this.words.length);
      order.forEach((code, at) => { this.ranks[code] = at; });
    }
    return this.ranks;
  }

  text(row) {
    const v = this.data[row];
    return this.words === null || Number.isNaN(v) ? '' : this.words[v];
  }
}

const PLAIN = ['number', 'status', 'iteration', 'value', 'best_value', 'started', 'ended', 'attempts', 'failures', 'priority'];

/**
 * What counts in a run, and the column that has it: the value of the last report, as everywhere in tryout. Of several objectives the first.
 * `null` if nothing counts.
 */
export function goalOf(header, trials) {
  if (header.objective) return { ...header.objective, key: 'value', column: trials.get('value') };
  const first = header.objectives?.[0];
  const key = first ? `m:${first.metric}` : '';
  return trials.get(key) ? { ...first, key, column: trials.get(key) } : null;
}

export class Trials {
  constructor() {
    this.n = 0;
    this.capacity = 0;
    this.position = -1;
    this.of = 0;
    this.chosen = 'all';
    this.most = 60000;
    this.left = 0;
    this.columns = new Map();
    this.parameters = [];
    this.metrics = [];
    this.row = new Int32Array(0);
    for (const name of PLAIN) this.columns.set(name, new Column(0));
    const why = new Column(0);
    why.becomeWords();
    this.columns.set('why', why);
  }

  /** The row of a trial, or -1. */
  rowOf(number) {
    return number >= 0 && number < this.row.length ? this.row[number] : -1;
  }

  get(name) {
    return this.columns.get(name);
  }

  data(name) {
    return this.columns.get(name).data;
  }

  reserve(n) {
    if (n <= this.capacity) return;
    this.capacity = Math.max(n, Math.ceil(this.capacity * 1.5), 64);
    for (const column of this.columns.values()) column.grow(this.capacity);
  }

  column(kind, name) {
    const key = `${kind}:${name}`;
    let column = this.columns.get(key);
    if (column === undefined) {
      column = new Column(this.capacity);
      this.columns.set(key, column);
      (kind === 'p' ? this.parameters : this.metrics).push(name);
    }
    return column;
  }

  place(number) {
    if (number >= this.row.length) {
      const row = new Int32Array(Math.max(number + 1, Math.ceil(this.row.length * 1.5), 64)).fill(-1);
      row.set(this.row);
      this.row = row;
    }
    let at = this.row[number];
    if (at < 0) {
      if (this.n >= this.most) return -1;
      at = this.n;
      this.reserve(at + 1);
      this.n += 1;
      this.row[number] = at;
    }
    return at;
  }

  /** Takes the rows of an answer or a change. Returns how many rows are new. */
  take(batch) {
    const before = this.n;
    const numbers = batch.number ?? [];
    if (this.n === 0) this.reserve(numbers.length);
    const rows = new Int32Array(numbers.length);
    for (let i = 0; i < numbers.length; i += 1) {
      rows[i] = this.place(numbers[i]);
      if (rows[i] < 0) this.left += 1;
    }
    for (const name of PLAIN) this.fillIn(this.columns.get(name), rows, batch[name]);
    if (batch.name?.length) this.fillIn(this.named(), rows, batch.name);
    if (batch.why) {
      const words = batch.words ?? [];
      this.fillIn(this.columns.get('why'), rows, batch.why.map((w) => (w === null || w === undefined ? null : words[w] ?? null)));
    }
    for (const [name, values] of Object.entries(batch.parameters ?? {})) this.fillIn(this.column('p', name), rows, values);
    for (const [name, values] of Object.entries(batch.metrics ?? {})) this.fillIn(this.column('m', name), rows, values);
    if (batch.of !== undefined && batch.of !== null) this.of = batch.of;
    this.of = Math.max(this.of, this.n);
    if (batch.position !== undefined) this.position = Math.max(this.position, batch.position);
    return this.n - before;
  }

  /** The column of names, which few runs have. */
  named() {
    let column = this.columns.get('name');
    if (column === undefined) {
      column = new Column(this.capacity);
      column.becomeWords();
      this.columns.set('name', column);
    }
    return column;
  }

  fillIn(column, rows, values) {
    if (!values) return;
    for (let i = 0; i < rows.length; i += 1) if (rows[i] >= 0) column.set(rows[i], values[i]);
  }

  static from(answer) {
    const trials = new Trials();
    trials.chosen = answer.chosen ?? 'all';
    trials.take(answer);
    return trials;
  }

  /** What the reader must know of which trials are here; empty if all are. */
  choiceInWords() {
    if (this.chosen === 'all' && this.left === 0) return '';
    const which = this.chosen === 'all' ? 'the first ones' : line(this.chosen);
    return `${this.n.toLocaleString('en')} of ${this.of.toLocaleString('en')} trials: ${which}`;
  }
}
