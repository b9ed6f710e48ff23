// Parallel coordinates: one line a trial over its parameters to the objective; a drag along an axis keeps what passes there.
import { button, empty, fill, plainTable } from './dom.js';
import { line, num, whole } from './format.js';
import { Plot, extent, scale } from './plot.js';
import { View, ranks, sample } from './view.js';

export const parallel = {
  name: 'parallel',
  label: 'Parallel',
  filtered: true,
  mount: (host, app) => new Parallel(host, app),
};

class Parallel extends View {
  constructor(host, app) {
    super(host, app);
    this.all = false;
    this.brushes = new Map();
    this.more = button('Draw all', () => { this.all = true; this.render(); }, { class: 'small', hidden: true });
    this.clear = button('Clear ranges', () => { this.brushes.clear(); this.render(); }, { class: 'small', hidden: true });
    this.tools.append(this.clear, this.more);
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('Parallel coordinates: each trial’s parameters and its value', {
      draw: (...a) => this.draw(...a), over: (...a) => this.marking(...a), describe: (n) => this.describe(n),
      pick: (n) => { if (!this.dragged) app.pick(n); }, pad: [40, 40, 28, 56],
    });
    this.plots = [this.plot];
    this.listen();
    this.render();
  }

  axesOf() {
    const { trials, header } = this.app;
    const known = new Map((header.parameters ?? []).map((p) => [p.name, p]));
    const list = trials.parameters.filter((name) => known.get(name)?.kind !== 'fixed').slice(0, 14).map((name) => {
      const column = trials.get(`p:${name}`);
      const p = known.get(name);
      return { key: `p:${name}`, label: line(name), column, log: p?.log === true };
    });
    const { goal } = this;
    if (goal) list.push({ key: goal.key, label: line(goal.metric), column: goal.column, log: false, value: true });
    for (const a of list) {
      if (a.column.words) {
        const rank = a.column.rank();
        const n = a.column.words.length;
        a.of = (row) => { const v = a.column.data[row]; return Number.isNaN(v) ? NaN : n < 2 ? 0.5 : rank[v] / (n - 1); };
        a.ticks = a.column.words.map((w, i) => [n < 2 ? 0.5 : rank[i] / (n - 1), line(w).slice(0, 12)]).slice(0, 16);
      } else {
        const [min, max] = extent(a.column.data, this.app.rows);
        const s = scale(min, max, a.log);
        a.scale = s;
        a.of = (row) => s.to(a.column.data[row]);
        a.ticks = [[0, num(s.min)], ...s.ticks(4).map(([v, t]) => [s.to(v), t]).filter(([t]) => t > 0.08 && t < 0.92), [1, num(s.max)]];
      }
    }
    return list;
  }

  paint() {
    const list = this.app.trials.parameters;
    if (this.app.rows.length === 0 || list.length === 0) {
      fill(this.stage, empty(this.app.trials.n === 0 ? 'No trial yet.' : list.length === 0 ? 'The trials of this run have no parameters.' : 'No trial passes the filter.'));
      return;
    }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, this.plot.node);
    super.paint();
  }

  draw(ctx, area, c) {
    const { rows, trials } = this.app;
    const { goal } = this;
    const values = goal ? goal.column.data : trials.data('number');
    const mode = goal?.mode ?? 'min';
    const chosen = this.all ? { rows, whole: true } : sample(rows, values, mode, 2000, 3000);
    this.more.hidden = chosen.whole;
    this.clear.hidden = this.brushes.size === 0;
    const list = this.axesOf();
    this.list = list;
    const x = (i) => area.x + (list.length === 1 ? area.w / 2 : (area.w * i) / (list.length - 1));
    const y = (t) => area.y + area.h * (1 - t);
    this.at = { x, y, list };
    const rank = ranks(chosen.rows, values, mode);
    const inside = (row) => list.every((a) => {
      const b = this.brushes.get(a.key);
      if (!b) return true;
      const t = a.of(row);
      return t >= b[0] - 1e-9 && t <= b[1] + 1e-9;
    });
    // The best are drawn last, so that they lie on top.
    const buckets = Array.from({ length: 17 }, () => []);
    let kept = 0;
    for (const row of chosen.rows) {
      const ok = this.brushes.size === 0 || inside(row);
      if (ok) kept += 1;
      buckets[ok ? rank(row) : 16].push(row);
    }
    const alpha = Math.max(0.04, Math.min(0.8, 10 / chosen.rows.length ** 0.6));
    ctx.lineWidth = 1;
    for (let b = 16; b >= 0; b -= 1) {
      ctx.strokeStyle = b === 16 ? c.rule : c.ramp[b];
      ctx.globalAlpha = b === 16 ? 0.35 : b === 0 ? Math.min(1, alpha * 2.5) : alpha;
      for (let from = 0; from < buckets[b].length; from += 250) {
        ctx.beginPath();
        for (const row of buckets[b].slice(from, from + 250)) {
          let pen = false;
          for (let i = 0; i < list.length; i += 1) {
            const t = list[i].of(row);
            if (Number.isNaN(t)) { pen = false; continue; }
            if (pen) ctx.lineTo(x(i), y(t)); else ctx.moveTo(x(i), y(t));
            pen = true;
          }
        }
        ctx.stroke();
      }
    }
    ctx.globalAlpha = 1;
    const number = trials.data('number');
    const last = list.length - 1;
    for (const row of chosen.rows.subarray(0, 4000)) {
      const t = list[last].of(row);
      if (!Number.isNaN(t)) this.plot.point(x(last), y(t), number[row]);
    }
    this.frames(ctx, area, c, x, y, list);
    this.say([
      chosen.whole ? '' : `${whole(chosen.rows.length)} of ${whole(rows.length)} lines: the best 2,000 and 3,000 at random.`,
      this.brushes.size > 0 ? `${whole(kept)} pass the ranges.` : 'Drag along an axis to keep a range.',
    ].join(' ').trim());
  }

  frames(ctx, area, c, x, y, list) {
    ctx.font = c.font;
    list.forEach((a, i) => {
      const px = Math.round(x(i)) + 0.5;
      ctx.strokeStyle = c.quiet; ctx.lineWidth = 1;
      ctx.beginPath(); ctx.moveTo(px, area.y); ctx.lineTo(px, area.y + area.h); ctx.stroke();
      ctx.textAlign = i === 0 ? 'left' : i === list.length - 1 ? 'right' : 'center';
      ctx.textBaseline = 'bottom';
      ctx.fillStyle = a.value ? c.accent : c.ink;
      const room = Math.max(6, Math.floor(area.w / Math.max(1, list.length - 1) / 7));
      const far = i === 0 ? x(0) - 46 : i === list.length - 1 ? x(i) + 34 : px;
      ctx.fillText(a.label.length > room ? `${a.label.slice(0, room - 1)}…` : a.label, far, area.y - 12 - (i % 2 && room < 10 ? 12 : 0));
      ctx.textBaseline = 'middle'; ctx.textAlign = 'right';
      for (const [t, text] of a.ticks) {
        const w = ctx.measureText(text).width;
        ctx.fillStyle = c.paper; ctx.globalAlpha = 0.75; ctx.fillRect(px - 6 - w, y(t) - 7, w + 2, 14); ctx.globalAlpha = 1;
        ctx.fillStyle = c.quiet; ctx.fillText(text, px - 5, y(t));
      }
      const b = this.brushes.get(a.key);
      if (b) { ctx.fillStyle = c.accent; ctx.globalAlpha = 0.25; ctx.fillRect(px - 7, y(b[1]), 14, y(b[0]) - y(b[1])); ctx.globalAlpha = 1; ctx.strokeStyle = c.accent; ctx.strokeRect(px - 7, y(b[1]), 14, y(b[0]) - y(b[1])); }
    });
  }

  marking(ctx, area, c) {
    const row = this.app.trials.rowOf(this.app.selected);
    if (row < 0 || !this.at) return;
    const { x, y, list } = this.at;
    ctx.beginPath();
    list.forEach((a, i) => { const t = a.of(row); if (!Number.isNaN(t)) ctx.lineTo(x(i), y(t)); });
    ctx.lineWidth = 5; ctx.strokeStyle = c.paper; ctx.stroke();
    ctx.lineWidth = 2.5; ctx.strokeStyle = c.ink; ctx.stroke();
  }

  listen() {
    const canvas = this.plot.canvas;
    const place = (e) => { const box = canvas.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; };
    let from = null;
    canvas.addEventListener('pointerdown', (e) => {
      this.dragged = false;
      if (!this.at) return;
      const [px, py] = place(e);
      const i = this.at.list.findIndex((_, k) => Math.abs(this.at.x(k) - px) < 14);
      if (i < 0) return;
      from = { key: this.at.list[i].key, y: py };
      canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener('pointermove', (e) => {
      if (!from) return;
      const py = place(e)[1];
      if (Math.abs(py - from.y) < 4) return;
      this.dragged = true;
      const t = (v) => Math.max(0, Math.min(1, 1 - (v - this.plot.area.y) / this.plot.area.h));
      const ends = [t(from.y), t(py)].sort((a, b) => a - b);
      this.brushes.set(from.key, ends);
      this.renderSoon();
    });
    canvas.addEventListener('pointerup', () => {
      if (from && !this.dragged && this.brushes.delete(from.key)) this.render();
      else if (from && this.dragged) this.render();
      from = null;
    });
  }

  describe(number) {
    const { trials } = this.app, r = trials.rowOf(number);
    return r < 0 ? '' : `Trial ${number}${this.goal ? `  ${num(this.goal.column.data[r])}` : ''}`;
  }

  rowsTable() {
    const { trials, rows } = this.app;
    const list = this.axesOf();
    const value = (a, r) => (a.column.words ? line(a.column.text(r)) : num(a.column.data[r]));
    return plainTable('Parameters and value', [
      { label: 'Trial', get: (r) => trials.data('number')[r] },
      ...list.map((a) => ({ label: a.label, text: a.column.words !== null, get: (r) => value(a, r) })),
    ], Array.from(rows.subarray(0, 501)), { pick: (r) => trials.data('number')[r], selected: this.app.selected });
  }
}
