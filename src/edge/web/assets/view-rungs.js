// Rungs and brackets: who went on, who was cut, and at which value.
import { el, empty, fill, plainTable, select } from './dom.js';
import { line, num, whole } from './format.js';
import { Plot, axes, quantile, ring, scale } from './plot.js';
import { View } from './view.js';

export const rungs = {
  name: 'rungs',
  label: 'Rungs',
  offered: (header) => header.has?.rungs === true,
  mount: (host, app) => new Rungs(host, app),
};

const FATES = { went_on: 'went on', cut: 'cut', waits: 'waits' };

class Rungs extends View {
  constructor(host, app) {
    super(host, app);
    this.bracket = 0;
    this.chosen = el('div', { class: 'slot' });
    this.tools.append(this.chosen);
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('Rungs: the value of each trial at each rung, and the cut', {
      draw: (...a) => this.draw(...a), over: (...a) => this.path_(...a), describe: (n) => this.describe(n), pick: (n) => app.pick(n), pad: [30, 24, 74, 64],
    });
    this.plots = [this.plot];
    this.load('/rungs');
  }

  got() {
    const { brackets } = this.data;
    this.bracket = Math.min(this.bracket, Math.max(0, brackets.length - 1));
    if (brackets.length > 1 && this.chosen.childElementCount === 0) {
      this.chosen.append(select('Bracket', brackets.map((b, i) => [String(i), line(b.name)]), '0', (v) => { this.bracket = Number(v); this.render(); }));
    }
  }

  get rungs() {
    return this.data?.brackets[this.bracket]?.rungs ?? [];
  }

  paint() {
    if (!this.data) return;
    if (this.rungs.length === 0) { fill(this.stage, empty(line(this.data.why ?? 'No trial has reached a rung yet.'))); return; }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, this.plot.node);
    super.paint();
    this.say('Filled: went on. Crossed: cut. Hollow: waits. The line is where it was cut last.');
  }

  draw(ctx, area, c) {
    const list = this.rungs;
    const mode = this.app.header.objective?.mode ?? 'min';
    const values = Float64Array.from(list.flatMap((r) => r.trials.map((t) => t.value)).filter((v) => v !== null));
    let low = Math.min(...[quantile(values, 0), ...list.map((r) => r.cut_at).filter((v) => v !== null)]);
    let high = Math.max(...[quantile(values, 1), ...list.map((r) => r.cut_at).filter((v) => v !== null)]);
    if (values.length > 20) {
      const a = quantile(values, 0.05), b = quantile(values, 0.95);
      if (mode === 'min') high = Math.min(high, b + (b - a) * 0.7); else low = Math.max(low, a - (b - a) * 0.7);
    }
    const sy = scale(low - (high - low) * 0.03, high + (high - low) * 0.03);
    axes(ctx, c, area, scale(0, 1), sy, { xTicks: [], yLabel: line(this.app.header.objective?.metric ?? 'value') });
    const w = area.w / list.length;
    const y = (v) => area.y + area.h * (1 - Math.max(0, Math.min(1, sy.to(v))));
    this.places = new Map();
    list.forEach((rung, i) => {
      const x0 = area.x + w * i, mid = x0 + w / 2;
      const spread = Math.min(w * 0.7, 14 * Math.sqrt(rung.trials.length));
      rung.trials.forEach((t, k) => {
        if (t.value === null) return;
        const x = mid + (((t.number * 0.618034) % 1) - 0.5) * spread, py = y(t.value);
        this.dot(ctx, c, x, py, t.fate);
        this.plot.point(x, py, t.number);
        if (!this.places.has(t.number)) this.places.set(t.number, []);
        this.places.get(t.number).push([x, py]);
      });
      if (rung.cut_at !== null && rung.cut_at !== undefined) {
        ctx.strokeStyle = c.danger; ctx.lineWidth = 1.5;
        ctx.beginPath(); ctx.moveTo(x0 + w * 0.06, y(rung.cut_at)); ctx.lineTo(x0 + w * 0.94, y(rung.cut_at)); ctx.stroke();
        ctx.fillStyle = c.danger; ctx.textAlign = 'right'; ctx.textBaseline = 'bottom';
        ctx.fillText(num(rung.cut_at), x0 + w * 0.94, y(rung.cut_at) - 3);
      }
      ctx.textAlign = 'center'; ctx.textBaseline = 'top';
      ctx.fillStyle = c.ink;
      ctx.fillText(w > 80 ? `iteration ${whole(rung.iteration)}` : whole(rung.iteration), mid, area.y + area.h + 9);
      ctx.fillStyle = c.quiet;
      ctx.fillText(w > 80 ? `${whole(rung.reached)} reached` : whole(rung.reached), mid, area.y + area.h + 27);
      if (w > 110) ctx.fillText([`${whole(rung.went_on)} on`, `${whole(rung.cut)} cut`, rung.waits > 0 ? `${whole(rung.waits)} wait` : ''].filter(Boolean).join(' · '), mid, area.y + area.h + 43);
    });
  }

  dot(ctx, c, x, y, fate) {
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    if (fate === 'cut') {
      ctx.strokeStyle = c.quiet; ctx.globalAlpha = 0.8;
      ctx.moveTo(x - 3, y - 3); ctx.lineTo(x + 3, y + 3); ctx.moveTo(x + 3, y - 3); ctx.lineTo(x - 3, y + 3); ctx.stroke();
    } else {
      ctx.arc(x, y, 3.6, 0, 7);
      if (fate === 'waits') { ctx.strokeStyle = c.accent; ctx.stroke(); } else { ctx.fillStyle = c.accent; ctx.globalAlpha = 0.85; ctx.fill(); }
    }
    ctx.globalAlpha = 1;
  }

  path_(ctx, area, c) {
    const path = this.places?.get(this.app.selected);
    if (!path) return;
    ctx.strokeStyle = c.ink; ctx.lineWidth = 1.5;
    ctx.beginPath(); path.forEach(([x, y]) => ctx.lineTo(x, y)); ctx.stroke();
    for (const [x, y] of path) ring(ctx, c, x, y);
  }

  describe(number) {
    const out = [`Trial ${number}`];
    for (const rung of this.rungs) {
      const t = rung.trials.find((u) => u.number === number);
      if (t) out.push(`iteration ${whole(rung.iteration)}: ${num(t.value)}, ${FATES[t.fate] ?? t.fate}${t.fate === 'cut' && rung.cut_at !== null ? ` (cut at ${num(rung.cut_at)})` : ''}`);
    }
    return out.join('\n');
  }

  rowsTable() {
    const list = this.rungs;
    const rows = list.flatMap((r) => r.trials.map((t) => ({ ...t, iteration: r.iteration, cut_at: r.cut_at })));
    return el('div', { class: 'sheets' },
      plainTable('Rungs', [
        { label: 'Iteration', get: (r) => whole(r.iteration) }, { label: 'Reached', get: (r) => whole(r.reached) }, { label: 'Went on', get: (r) => whole(r.went_on) },
        { label: 'Cut', get: (r) => whole(r.cut) }, { label: 'Wait', get: (r) => whole(r.waits) }, { label: 'Cut at', get: (r) => num(r.cut_at) },
      ], list),
      plainTable('Trials at rungs', [
        { label: 'Iteration', get: (r) => whole(r.iteration) }, { label: 'Trial', get: (r) => r.number }, { label: 'Value', get: (r) => num(r.value) },
        { label: 'Fate', text: true, get: (r) => FATES[r.fate] ?? r.fate }, { label: 'Cut at', get: (r) => num(r.cut_at) },
      ], rows, { pick: (r) => r.number, selected: this.app.selected }));
  }
}
