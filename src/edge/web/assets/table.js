// The table of trials: only the rows that are seen exist, so that 50,000 cost what 50 do.
import { button, el, empty, fill, say, statusMark, took } from './dom.js';
import { columnFormat, count, duration, line, NONE, whole } from './format.js';
import { sorted } from './filter.js';
import { goalOf } from './store.js';

const ROW = 30;
const KEEP = 'tryout:columns';
// Who has moved in the table within this time looks for a row: its order waits.
const STILL = 4000;

function columnsOf(app) {
  const { trials, header } = app;
  const objective = header.objective?.metric;
  const logs = new Set((header.parameters ?? []).filter((p) => p.log).map((p) => p.name));
  const list = [
    { key: 'number', label: 'Trial', width: 76, fixed: true },
    ...(trials.get('name') ? [{ key: 'name', label: 'Name', width: 180 }] : []),
    { key: 'status', label: 'Status', width: 116, status: true },
    { key: 'iteration', label: 'Iterations', width: 96 },
    ...(objective ? [{ key: 'value', label: line(objective), width: 108, title: 'the last value of the objective' }, { key: 'best_value', label: 'Best', width: 108, title: 'the best value of the objective in any report', more: true }] : []),
    ...trials.parameters.map((name) => ({ key: `p:${name}`, label: line(name), width: 112, log: logs.has(name) })),
    ...trials.metrics.filter((m) => m !== objective).map((name) => ({ key: `m:${name}`, label: line(name), width: 112, more: trials.metrics.length > 6 })),
    { key: 'time', label: 'Time', width: 104, time: true },
    { key: 'attempts', label: 'Attempts', width: 88, more: true },
    { key: 'failures', label: 'Failures', width: 84 },
    { key: 'priority', label: 'Priority', width: 84, more: true },
    { key: 'started', label: 'Started', width: 104, since: true, more: true },
    { key: 'ended', label: 'Ended', width: 104, since: true, more: true },
    { key: 'why', label: 'Why', width: 360, words: true },
  ];
  return list;
}

export const table = {
  name: 'trials',
  label: 'Trials',
  filtered: true,
  mount(host, app) {
    return new Table(host, app);
  },
};

class Table {
  constructor(host, app) {
    this.app = app;
    const goal = app.trials.n > 0 ? goalOf(app.header, app.trials) : null;
    this.sort = goal ? { key: goal.key, down: goal.mode === 'max' } : { key: 'number', down: true };
    this.order = new Uint32Array(0);
    this.shown = [];
    this.late = 0;
    this.touched = -Infinity;
    this.hidden = this.remembered();
    this.columns = [];
    this.head = el('div', { class: 'grid-head', role: 'row', 'aria-rowindex': '1' });
    this.space = el('div', { class: 'grid-space' });
    this.scroll = el('div', {
      class: 'grid', role: 'grid', tabindex: '0', 'aria-label': 'Trials',
      on: { scroll: () => this.frame(), keydown: (e) => this.key(e), pointermove: () => this.touch(), wheel: () => this.touch(), pointerleave: () => { this.touched = -Infinity; this.catchUp(); } },
    }, this.head, this.space);
    this.again = button('Sort again', () => { this.arrange(); this.paint(); }, { class: 'small', hidden: true });
    this.tools = el('div', { class: 'tools-end' }, this.again, this.chooser());
    app.tools.append(this.tools);
    this.none = el('div', { class: 'grid-none', hidden: true });
    fill(host, el('div', { class: 'grid-box' }, this.scroll, this.none));
    this.size = new ResizeObserver(() => this.paint());
    this.size.observe(this.scroll);
    this.arrange();
    this.paint();
    if (app.selected !== null) this.reveal();
  }

  remembered() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEEP) ?? 'null');
      return kept && typeof kept === 'object' ? kept : {};
    } catch { return {}; }
  }

  visible(c) {
    return c.fixed || !(this.hidden[c.key] ?? c.more ?? false);
  }

  chooser() {
    const list = el('div', { class: 'popover' });
    const box = el('details', { class: 'menu' }, el('summary', { text: 'Columns' }), list);
    box.addEventListener('toggle', () => {
      if (!box.open) return;
      fill(list, columnsOf(this.app).filter((c) => !c.fixed).map((c) => {
        const tick = el('input', { type: 'checkbox', on: { change: () => {
          this.hidden[c.key] = !tick.checked;
          try { localStorage.setItem(KEEP, JSON.stringify(this.hidden)); } catch { /* a private window keeps nothing */ }
          this.arrange();
          this.paint();
        } } });
        tick.checked = this.visible(c);
        return el('label', {}, tick, el('span', { text: c.label }));
      }));
    });
    return box;
  }

  /** Sorts, and makes the header anew if the columns are others. */
  arrange() {
    const { app } = this;
    this.now = app.header.elapsed ?? 0;
    const columns = columnsOf(app).filter((c) => this.visible(c));
    for (const c of columns) {
      if (c.status || c.words) continue;
      const column = app.trials.get(c.key);
      c.text = column?.words !== null && column !== undefined;
      if (c.time || c.since) c.format = duration;
      else if (column?.words === null) c.format = columnFormat(column.data, app.trials.n, c.log);
    }
    const names = columns.map((c) => `${c.key} ${c.label} ${c.text === true}`).join('\n');
    if (names !== this.names) {
      this.names = names;
      this.columns = columns;
      this.scroll.style.setProperty('--columns', columns.map((c) => `${c.width}px`).join(' '));
      this.scroll.style.setProperty('--width', `${columns.reduce((sum, c) => sum + c.width, 0)}px`);
      this.scroll.setAttribute('aria-colcount', String(columns.length));
      for (const row of this.shown) row.node.remove();
      this.shown = [];
    }
    this.columns = columns;
    this.heads();
    const key = this.sort.key === 'time' ? this.timeColumn() : app.trials.get(this.sort.key) ?? app.trials.get('number');
    this.order = sorted(app.rows, key, this.sort.down);
    this.scroll.setAttribute('aria-rowcount', String(this.order.length + 1));
    this.space.style.setProperty('height', `${this.order.length * ROW}px`);
    this.late = 0;
    this.again.hidden = true;
    this.none.hidden = this.order.length > 0;
    if (this.order.length === 0) {
      fill(this.none, app.filterText
        ? empty('No trial passes the filter.', app.filterText.length > 60 ? undefined : `Filter: ${app.filterText}`)
        : empty('No trial yet.', 'The first ones appear here as soon as the searcher has suggested them.'));
    }
  }

  timeColumn() {
    const { trials } = this.app;
    const from = trials.data('started'), to = trials.data('ended');
    const data = new Float64Array(trials.n);
    for (let i = 0; i < trials.n; i += 1) data[i] = (Number.isNaN(to[i]) ? this.now : to[i]) - from[i];
    return { data, words: null };
  }

  heads() {
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    fill(this.head, this.columns.map((c, i) => {
      const on = this.sort.key === c.key;
      return el('div', { role: 'columnheader', class: c.words || c.status || c.text ? 'text' : 'num', 'aria-colindex': String(i + 1), 'aria-sort': on ? (this.sort.down ? 'descending' : 'ascending') : 'none' },
        button(c.label, () => this.sortBy(c), { title: c.title ? `${c.label}: ${c.title}` : c.label, 'data-key': c.key, class: on ? 'sorted' : undefined }));
    }));
    if (focused !== null) [...this.head.querySelectorAll('button')].find((b) => b.dataset.key === focused)?.focus();
  }

  sortBy(c) {
    const started = performance.now();
    this.sort = { key: c.key, down: this.sort.key === c.key ? !this.sort.down : false };
    this.arrange();
    this.scroll.scrollTop = 0;
    this.paint();
    took('tryout:sort', started);
  }

  frame() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.paint(); });
  }

  paint() {
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - 4);
    const many = Math.min(this.order.length - first, Math.ceil(this.scroll.clientHeight / ROW) + 10);
    while (this.shown.length < many) {
      const row = this.makeRow();
      this.shown.push(row);
      this.space.append(row.node);
    }
    for (let i = 0; i < this.shown.length; i += 1) {
      const row = this.shown[i];
      const at = first + i;
      row.node.hidden = i >= many;
      if (i < many) this.paintRow(row, at, this.order[at]);
      else if (row.number >= 0) { row.number = -1; row.node.removeAttribute('id'); }
    }
    const selected = this.shown.find((r) => !r.node.hidden && r.number === this.app.selected);
    if (selected) this.scroll.setAttribute('aria-activedescendant', selected.node.id);
    else this.scroll.removeAttribute('aria-activedescendant');
  }

  makeRow() {
    const cells = this.columns.map((c, i) => el('div', { role: 'gridcell', class: c.words ? 'words' : c.status || c.text ? 'text' : 'num', 'aria-colindex': String(i + 1) }));
    const node = el('div', { class: 'grid-row', role: 'row' }, cells);
    const row = { node, cells, number: -1, status: -1 };
    node.addEventListener('click', () => this.app.pick(row.number));
    return row;
  }

  paintRow(row, at, r) {
    const { trials, selected, header } = this.app;
    const number = trials.data('number')[r];
    row.node.style.setProperty('transform', `translateY(${at * ROW}px)`);
    row.node.setAttribute('aria-rowindex', String(at + 2));
    if (row.number !== number) { row.number = number; row.node.id = `trial-row-${number}`; }
    row.node.setAttribute('aria-selected', String(number === selected));
    row.node.classList.toggle('best', header.best?.number === number);
    for (let i = 0; i < this.columns.length; i += 1) {
      const c = this.columns[i], cell = row.cells[i];
      if (c.status) {
        const status = trials.data('status')[r];
        if (cell.dataset.status !== String(status)) { cell.dataset.status = String(status); fill(cell, statusMark(status)); }
        continue;
      }
      say(cell, this.text(c, r));
      if (c.words) cell.title = cell.textContent;
    }
  }

  text(c, r) {
    const { trials } = this.app;
    if (c.key === 'number') return String(trials.data('number')[r]);
    if (c.time) {
      const to = trials.data('ended')[r];
      return duration((Number.isNaN(to) ? this.now : to) - trials.data('started')[r]);
    }
    const column = trials.get(c.key);
    if (column.words !== null) return line(column.text(r)).slice(0, 300) || (c.words ? '' : NONE);
    return (c.format ?? whole)(column.data[r]);
  }

  /** A change of data: values at once; the order only where nobody is looking for a row in it. */
  update(what) {
    if (what === 'select') { this.paint(); this.reveal(); return; }
    if (what === 'reset') { this.arrange(); this.paint(); return; }
    if (what === 'filter') { this.arrange(); this.scroll.scrollTop = 0; this.paint(); return; }
    this.now = this.app.header.elapsed ?? this.now;
    this.late += 1;
    if (this.order.length > 0 && performance.now() - this.touched < STILL) {
      this.again.hidden = false;
      this.paint();
      return;
    }
    this.catchUp();
  }

  touch() {
    this.touched = performance.now();
  }

  catchUp() {
    if (this.late > 0) this.arrange();
    this.paint();
  }

  reveal() {
    const row = this.app.trials.rowOf(this.app.selected);
    const at = row < 0 ? -1 : this.order.indexOf(row);
    if (at < 0) return;
    const head = this.head.offsetHeight, top = at * ROW, bottom = top + ROW;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (bottom > this.scroll.scrollTop + this.scroll.clientHeight - head) this.scroll.scrollTop = bottom - this.scroll.clientHeight + head;
  }

  key(e) {
    if (e.target !== this.scroll) return;
    this.touch();
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[e.key];
    if (e.key === 'Enter') { if (this.app.selected !== null) this.app.openTrial(); e.preventDefault(); return; }
    if (step === undefined || this.order.length === 0) return;
    e.preventDefault();
    const row = this.app.trials.rowOf(this.app.selected);
    const now = row < 0 ? -1 : this.order.indexOf(row);
    const to = Math.max(0, Math.min(this.order.length - 1, now < 0 ? 0 : now + step));
    this.app.pick(this.app.trials.data('number')[this.order[to]], { quiet: true });
  }

  end() {
    this.size.disconnect();
    this.tools.remove();
  }

  get summary() {
    return count(this.order.length, 'trial');
  }
}
