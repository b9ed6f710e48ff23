// What all views have in common: tools, a stage, a plain table beside each plot, and answers that are fetched again when the run goes on.
import { el, empty, fill, loading, say, toggle } from './dom.js';
import { get, runPath } from './api.js';
import { line } from './format.js';
import { goalOf } from './store.js';

const AGAIN = 1500;

export class View {
  constructor(host, app) {
    this.host = host;
    this.app = app;
    this.asTable = false;
    this.tools = el('div', { class: 'tools-end' });
    app.tools.append(this.tools);
    this.note = el('p', { class: 'note' });
    this.stage = el('div', { class: 'stage' });
    this.sheet = el('div', { class: 'sheet', hidden: true });
    fill(host, this.stage, this.sheet, this.note);
    this.aborted = new AbortController();
    this.data = null;
    this.position = -1;
    this.timer = null;
    this.plots = [];
  }

  /** The toggle between plot and table. `table` gives the table's element. */
  withTable(table) {
    this.table = table;
    this.tools.append(toggle('As a table', false, (on) => {
      this.asTable = on;
      this.stage.hidden = on;
      this.sheet.hidden = !on;
      this.render();
    }));
  }

  get goal() {
    return goalOf(this.app.header, this.app.trials);
  }

  say(text) {
    say(this.note, text);
  }

  /** Fetches what the view shows and shows it. */
  async load(path) {
    this.path = path;
    this.asked = this.app.header.position;
    if (this.data === null) fill(this.stage, loading());
    const mine = path;
    try {
      const data = await get(runPath(this.app.key, path), this.aborted.signal);
      if (mine !== this.path || this.over) return;
      const first = this.data === null;
      this.data = data;
      this.position = data.position ?? this.asked;
      if (first) fill(this.stage);
      this.got?.(first);
      this.render();
    } catch (e) {
      if (e.name === 'AbortError' || this.over) return;
      if (this.data === null) fill(this.stage, empty('This view can’t be shown.', line(e.message)));
      else this.say(`Not up to date: ${line(e.message)}`);
    }
  }

  // Not more often than every second and a half, and never two at once.
  loadSoon() {
    if (this.path === undefined || this.timer !== null || this.app.header.position === this.position) return;
    this.timer = setTimeout(async () => {
      await this.load(this.path);
      this.timer = null;
      if (this.over) return;
      if (this.app.header.position > this.asked) this.loadSoon();
    }, AGAIN);
  }

  render() {
    if (this.asTable) { fill(this.sheet, this.table()); return; }
    this.paint();
  }

  paint() {
    for (const plot of this.plots) plot.draw();
  }

  update(what) {
    if (what === 'select') {
      if (this.asTable) this.render();
      else this.marked();
    } else if (what === 'data' || what === 'reset') {
      if (this.path !== undefined) this.loadSoon();
      else this.renderSoon();
    } else this.render();
  }

  // Drawing costs more than one cell of a table: at most four times a second.
  renderSoon() {
    if (this.drawing) return;
    this.drawing = setTimeout(() => { this.drawing = null; if (!this.over) this.render(); }, 250);
  }

  marked() {
    for (const plot of this.plots) plot.mark();
  }

  end() {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.drawing);
    this.aborted.abort();
    for (const plot of this.plots) plot.end();
    this.tools.remove();
  }
}

/** Evenly random numbers that are the same each time, so that what is drawn doesn't change by itself. */
export function random(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The best of some rows and a random part of the others: `{rows, whole}`. */
export function sample(rows, values, mode, best, others) {
  if (rows.length <= best + others) return { rows, whole: true };
  const known = rows.filter((r) => !Number.isNaN(values[r]));
  known.sort(mode === 'max' ? (a, b) => values[b] - values[a] : (a, b) => values[a] - values[b]);
  const first = known.subarray(0, best);
  const rest = known.slice(best);
  const next = random(7);
  const many = Math.min(others, rest.length);
  for (let i = 0; i < many; i += 1) {
    const j = i + Math.floor(next() * (rest.length - i));
    [rest[i], rest[j]] = [rest[j], rest[i]];
  }
  const out = new Uint32Array(first.length + many);
  out.set(first);
  out.set(rest.subarray(0, many), first.length);
  return { rows: out, whole: false };
}

/** For each row its place among the values as one of sixteen steps, 0 the best; 15 also where there is no value. */
export function ranks(rows, values, mode) {
  const known = rows.filter((r) => !Number.isNaN(values[r]));
  known.sort(mode === 'max' ? (a, b) => values[b] - values[a] : (a, b) => values[a] - values[b]);
  const of = new Map();
  known.forEach((r, i) => of.set(r, Math.min(15, Math.floor((i / Math.max(1, known.length)) * 16))));
  return (row) => of.get(row) ?? 15;
}
