// All trials in the order in which they came, with the best so far.
import { choice, fill, plainTable, statusMark, toggle, empty, STATUS } from './dom.js';
import { duration, line, num, whole } from './format.js';
import { Plot, axes, extent, quantile, ring, scale, timeTicks } from './plot.js';
import { View } from './view.js';

export const history = {
  name: 'history',
  label: 'History',
  filtered: true,
  mount: (host, app) => new History(host, app),
};

class History extends View {
  constructor(host, app) {
    super(host, app);
    this.by = 'number';
    this.log = false;
    this.clip = true;
    this.tools.append(
      choice('Along', [['number', 'By number'], ['ended', 'By time']], this.by, (v) => { this.by = v; this.render(); }),
      toggle('Log', false, (on) => { this.log = on; this.render(); }),
      toggle('Without outliers', true, (on) => { this.clip = on; this.render(); }),
    );
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('History of all trials with the best so far', {
      draw: (...a) => this.draw(...a), over: (...a) => this.ringed(...a),
      describe: (n) => this.describe(n), pick: (n) => app.pick(n),
    });
    this.plots = [this.plot];
    this.render();
  }

  get mode() { return this.goal?.mode ?? 'min'; }

  /** Rows with a value, in the order of the axis, with the best so far after each. */
  series() {
    const { trials, rows } = this.app;
    const values = this.goal.column.data;
    const ended = trials.data('ended'), number = trials.data('number');
    const now = this.app.header.elapsed;
    const along = this.by === 'number' ? (r) => number[r] : (r) => (Number.isNaN(ended[r]) ? now : ended[r]);
    const list = rows.filter((r) => !Number.isNaN(values[r]));
    list.sort((a, b) => along(a) - along(b));
    const better = this.mode === 'max' ? (a, b) => a > b : (a, b) => a < b;
    const best = new Float64Array(list.length);
    let top = NaN;
    for (let i = 0; i < list.length; i += 1) {
      const v = values[list[i]];
      if (Number.isNaN(top) || better(v, top)) top = v;
      best[i] = top;
    }
    return { list, along, values, best };
  }

  paint() {
    const { trials } = this.app;
    if (!this.goal) { fill(this.stage, empty('This run has no objective, so there is no best so far.')); return; }
    const { list } = this.series();
    if (list.length === 0) {
      fill(this.stage, empty('No trial has reported a value yet.', trials.n > 0 ? `${whole(trials.n)} trials are known.` : undefined));
      return;
    }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, this.plot.node);
    super.paint();
  }

  draw(ctx, area, c) {
    const { trials } = this.app;
    const { list, along, values, best } = this.series();
    let [min, max] = extent(values, list);
    let out = 0;
    if (this.clip && list.length > 20) {
      const all = Float64Array.from(list, (r) => values[r]);
      const low = quantile(all, 0.05), high = quantile(all, 0.95);
      const pad = (high - low) * 0.5;
      if (this.mode === 'min') max = Math.min(max, high + pad); else min = Math.max(min, low - pad);
    }
    const x0 = along(list[0]), x1 = along(list[list.length - 1]);
    const margin = this.log ? 0 : (max - min) * 0.04;
    const sx = scale(x0, x1), sy = scale(min - margin, max + margin, this.log);
    const x = (r) => area.x + area.w * sx.to(along(r));
    const y = (v) => area.y + area.h * (1 - Math.max(0, Math.min(1, sy.to(v))));
    axes(ctx, c, area, sx, sy, {
      xLabel: this.by === 'number' ? 'trial' : 'ended after', yLabel: `${line(this.goal.metric)} (${this.mode})`,
      xTicks: this.by === 'number' ? undefined : timeTicks(sx, Math.max(2, area.w / 110)),
    });
    const small = list.length > 4000, size = small ? 2 : 5;
    const status = trials.data('status'), number = trials.data('number');
    for (const pass of [3, 2, 0, 1, 4]) {
      ctx.fillStyle = pass === 4 ? c.danger : pass === 1 ? c.accent : c.quiet;
      ctx.globalAlpha = small ? 0.35 : pass === 1 ? 0.9 : 0.55;
      for (let i = 0; i < list.length; i += 1) {
        const r = list[i];
        if (status[r] !== pass) continue;
        const px = x(r), v = values[r], py = y(v);
        if (v > sy.max || v < sy.min) {
          out += 1;
          ctx.fillRect(px - 0.5, py - 3, 1, 6);
        } else if (small) ctx.fillRect(px - 1, py - 1, size, size);
        else { ctx.beginPath(); ctx.arc(px, py, size / 2 + 0.4, 0, 7); ctx.fill(); }
        this.plot.point(px, py, number[r]);
      }
    }
    ctx.globalAlpha = 1;
    ctx.strokeStyle = c.accent;
    ctx.lineWidth = 2;
    ctx.lineJoin = 'round';
    ctx.beginPath();
    for (let i = 0; i < list.length; i += 1) {
      const px = x(list[i]), py = y(best[i]);
      if (i === 0) ctx.moveTo(px, py);
      else { ctx.lineTo(px, y(best[i - 1])); ctx.lineTo(px, py); }
    }
    ctx.lineTo(area.x + area.w, y(best[best.length - 1]));
    ctx.stroke();
    this.at = { x, y, values };
    this.say(`Line: the best so far. Dots: the last value of each trial${out > 0 ? `; ${whole(out)} outliers stand at the edge as strokes` : ''}.`);
  }

  ringed(ctx, area, c) {
    const row = this.app.trials.rowOf(this.app.selected);
    if (row < 0 || !this.at) return;
    const v = this.at.values[row];
    if (!Number.isNaN(v)) ring(ctx, c, this.at.x(row), this.at.y(v));
  }

  describe(number) {
    const { trials } = this.app, r = trials.rowOf(number);
    return r < 0 ? '' : `Trial ${number}  ${num(this.goal.column.data[r])}\n${STATUS[trials.data('status')[r]]}, ${whole(trials.data('iteration')[r])} iterations`;
  }

  rowsTable() {
    const { trials } = this.app;
    const { list, values, best } = this.series();
    const rows = Array.from(list.subarray(0, 600), (r, i) => ({ r, best: best[i] }));
    rows.length = Math.min(rows.length, list.length);
    return plainTable('History', [
      { label: 'Trial', get: ({ r }) => trials.data('number')[r] },
      { label: 'Status', text: true, get: ({ r }) => statusMark(trials.data('status')[r]) },
      { label: 'Value', get: ({ r }) => num(values[r]) },
      { label: 'Best so far', get: (x) => num(x.best) },
      { label: 'Ended after', get: ({ r }) => duration(trials.data('ended')[r]) },
    ], rows, { pick: ({ r }) => trials.data('number')[r], selected: this.app.selected });
  }
}
