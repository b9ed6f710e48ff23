// Importance of each parameter, and the objective over it.
import { el, empty, fill, plainTable } from './dom.js';
import { get, runPath } from './api.js';
import { line, num, whole } from './format.js';
import { Plot, axes, extent, quantile, ring, scale } from './plot.js';
import { View, sample } from './view.js';

export const slice = {
  name: 'slice',
  label: 'Importance',
  filtered: true,
  mount: (host, app) => new Slice(host, app),
};

class Slice extends View {
  constructor(host, app) {
    super(host, app);
    this.importance = null;
    this.withTable(() => this.rowsTable());
    this.bars = el('div', { class: 'bars' });
    this.grid = el('div', { class: 'slices' });
    this.render();
    this.fetchImportance();
  }

  async fetchImportance() {
    this.asked = this.app.header.position;
    try {
      this.importance = await get(runPath(this.app.key, '/importance'), this.aborted.signal);
    } catch (e) {
      if (e.name === 'AbortError') return;
      this.importance = { parameters: [], why: e.message, compared: '' };
    }
    this.fresh = null;
    if (!this.over) this.render();
  }

  update(what) {
    super.update(what);
    if ((what === 'data' || what === 'reset') && !this.fresh && this.app.header.position !== this.asked) {
      this.fresh = setTimeout(() => this.fetchImportance(), 3000);
    }
  }

  end() {
    clearTimeout(this.fresh);
    super.end();
  }

  names() {
    const { trials, header } = this.app;
    const fixed = new Set((header.parameters ?? []).filter((p) => p.kind === 'fixed').map((p) => p.name));
    const weight = new Map((this.importance?.parameters ?? []).map((p) => [p.name, p.importance]));
    return trials.parameters.filter((n) => !fixed.has(n)).sort((a, b) => (weight.get(b) ?? -1) - (weight.get(a) ?? -1)).slice(0, 12);
  }

  paint() {
    const { trials } = this.app;
    const { goal } = this;
    if (!goal) { fill(this.stage, empty('This run has no objective, so nothing can be important for it.')); return; }
    const names = this.names();
    if (names.length === 0) { fill(this.stage, empty(trials.n === 0 ? 'No trial yet.' : 'Nothing varies in this run.')); return; }
    if (!this.stage.contains(this.grid)) fill(this.stage, el('div', { class: 'scroller' }, this.bars, this.grid));
    this.paintBars();
    const key = names.join('\n');
    if (key !== this.key) {
      this.key = key;
      for (const p of this.plots) p.end();
      this.plots = names.map((name) => this.panel(name));
      fill(this.grid, this.plots.map((p) => p.node));
    }
    this.chosen = sample(this.app.rows, goal.column.data, goal.mode, 1000, 3000);
    for (const p of this.plots) p.draw();
    this.say(`${line(goal.metric)} over each parameter${this.chosen.whole ? '' : `; ${whole(this.chosen.rows.length)} of ${whole(this.app.rows.length)} trials: the best 1,000 and 3,000 at random`}.`);
  }

  paintBars() {
    const data = this.importance;
    if (data === null) { fill(this.bars, el('p', { class: 'quiet', text: 'Computing the importance' })); return; }
    if (data.parameters.length === 0 || data.why) {
      fill(this.bars, el('p', { class: 'quiet', text: `No importance: ${line(data.why ?? 'too few trials can be compared')}` }));
      return;
    }
    const most = Math.max(...data.parameters.map((p) => p.importance ?? 0), 1e-9);
    const list = [...data.parameters].sort((a, b) => (b.importance ?? 0) - (a.importance ?? 0)).slice(0, 12);
    fill(this.bars, el('p', { class: 'quiet', text: `Importance, ${line(data.compared)}` }),
      el('dl', {}, list.map((p) => [
        el('dt', { text: line(p.name), title: line(p.name) }),
        el('dd', {}, el('i', { class: 'bar', 'aria-hidden': 'true', vars: { '--part': String((p.importance ?? 0) / most) } }), el('span', { class: 'num', text: (p.importance ?? 0).toFixed(3) })),
      ])));
  }

  panel(name) {
    const plot = new Plot(`Values over ${line(name)}`, {
      className: 'small',
      draw: (ctx, area, c) => this.draw(plot, name, ctx, area, c),
      over: (ctx, area, c) => {
        const row = this.app.trials.rowOf(this.app.selected);
        if (row >= 0 && plot.at_) { const [x, y] = plot.at_(row); if (Number.isFinite(x + y)) ring(ctx, c, x, y, 5); }
      },
      describe: (n) => this.describe(n, name), pick: (n) => this.app.pick(n), pad: [26, 12, 42, 54],
    });
    return plot;
  }

  draw(plot, name, ctx, area, c) {
    const { trials, header } = this.app;
    if (!this.chosen) return;
    const rows = this.chosen.rows;
    const values = this.goal.column.data, column = trials.get(`p:${name}`);
    const p = (header.parameters ?? []).find((q) => q.name === name);
    let [low, high] = extent(values, rows);
    const all = Float64Array.from(rows, (r) => values[r]);
    if (rows.length > 20) {
      const a = quantile(all, 0.05), b = quantile(all, 0.95);
      if (this.goal.mode === 'min') high = Math.min(high, b + (b - a) / 2); else low = Math.max(low, a - (b - a) / 2);
    }
    const sy = scale(low, high);
    let fx, sx, xTicks;
    if (column.words) {
      const rank = column.rank(), n = column.words.length;
      sx = scale(-0.5, n - 0.5);
      fx = (r) => { const v = column.data[r]; return Number.isNaN(v) ? NaN : sx.to(rank[v] + (((r * 7919) % 100) / 100 - 0.5) * 0.5); };
      xTicks = column.words.map((w, i) => [rank[i], line(w).slice(0, Math.max(4, Math.floor(area.w / n / 7)))]);
      if (n > 8) xTicks = xTicks.filter((_, i) => i % Math.ceil(n / 6) === 0);
    } else {
      const [a, b] = extent(column.data, rows);
      sx = scale(a, b, p?.log === true);
      fx = (r) => sx.to(column.data[r]);
    }
    axes(ctx, c, area, sx, sy, { xLabel: line(name).slice(0, 28), xTicks });
    const number = trials.data('number');
    const y = (v) => area.y + area.h * (1 - Math.max(0, Math.min(1, sy.to(v))));
    plot.at_ = (r) => [area.x + area.w * fx(r), y(values[r])];
    ctx.fillStyle = c.accent;
    ctx.globalAlpha = rows.length > 1000 ? 0.3 : 0.75;
    const size = rows.length > 1000 ? 3 : 4;
    for (const r of rows) {
      const [px, py] = plot.at_(r);
      if (Number.isNaN(px) || Number.isNaN(py)) continue;
      ctx.fillRect(px - size / 2, py - size / 2, size, size);
      plot.point(px, py, number[r]);
    }
    ctx.globalAlpha = 1;
  }

  describe(number, name) {
    const { trials } = this.app, r = trials.rowOf(number), column = trials.get(`p:${name}`);
    return r < 0 ? '' : `Trial ${number}  ${num(this.goal.column.data[r])}\n${line(name)} ${column.words ? line(column.text(r)) : num(column.data[r])}`;
  }

  rowsTable() {
    const { trials, rows } = this.app;
    const names = this.names();
    const weight = new Map((this.importance?.parameters ?? []).map((p) => [p.name, p.importance]));
    return el('div', { class: 'sheets' },
      plainTable('Importance', [{ label: 'Parameter', text: true, get: (n) => line(n) }, { label: 'Importance', get: (n) => (weight.has(n) ? num(weight.get(n)) : '–') }], names),
      plainTable('Values over parameters', [
        { label: 'Trial', get: (r) => trials.data('number')[r] },
        { label: 'Value', get: (r) => num(this.goal?.column.data[r]) },
        ...names.map((n) => { const col = trials.get(`p:${n}`); return { label: line(n), text: col.words !== null, get: (r) => (col.words ? line(col.text(r)) : num(col.data[r])) }; }),
      ], Array.from(rows.subarray(0, 501)), { pick: (r) => trials.data('number')[r], selected: this.app.selected }));
  }
}
