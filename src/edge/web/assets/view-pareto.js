// Several objectives: what nothing else beats in all of them.
import { el, empty, fill, plainTable, select } from './dom.js';
import { line, num, whole } from './format.js';
import { Plot, axes, ring, scale } from './plot.js';
import { View } from './view.js';

export const pareto = {
  name: 'pareto',
  label: 'Pareto',
  offered: (header) => header.has?.pareto === true,
  mount: (host, app) => new Pareto(host, app),
};

class Pareto extends View {
  constructor(host, app) {
    super(host, app);
    this.x = 0;
    this.y = 1;
    this.choices = el('div', { class: 'slot' });
    this.tools.append(this.choices);
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('Pareto front', {
      draw: (...a) => this.draw(...a), over: (...a) => this.ringed(...a), describe: (n) => this.describe(n), pick: (n) => app.pick(n),
    });
    this.plots = [this.plot];
    this.load('/pareto');
  }

  got(first) {
    const { objectives } = this.data;
    if (!first || objectives.length < 3) return;
    const options = objectives.map((o, i) => [String(i), line(o.metric)]);
    this.choices.append(select('Across', options, '0', (v) => { this.x = Number(v); this.render(); }), select('Up', options, '1', (v) => { this.y = Number(v); this.render(); }));
  }

  paint() {
    if (!this.data) return;
    if (this.data.objectives.length < 2) { fill(this.stage, empty('This run has one objective: the best trial is the front.')); return; }
    if (this.data.points.length === 0) { fill(this.stage, empty('No trial has values of all objectives yet.')); return; }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, this.plot.node);
    super.paint();
    const front = this.data.points.filter((p) => p.front).length;
    this.say(`${whole(front)} of ${whole(this.data.points.length)} trials are on the front: nothing is better in all objectives.`);
  }

  draw(ctx, area, c) {
    const { points, objectives } = this.data;
    const xs = points.map((p) => p.values[this.x]).filter((v) => v !== null), ys = points.map((p) => p.values[this.y]).filter((v) => v !== null);
    const padded = (v) => { const a = v.reduce((m, w) => Math.min(m, w), Infinity), b = v.reduce((m, w) => Math.max(m, w), -Infinity); return scale(a - (b - a) * 0.04, b + (b - a) * 0.04); };
    const sx = padded(xs), sy = padded(ys);
    const name = (o) => `${line(o.metric)} (${o.mode})`;
    axes(ctx, c, area, sx, sy, { xLabel: name(objectives[this.x]), yLabel: name(objectives[this.y]) });
    const place = (p) => [area.x + area.w * sx.to(p.values[this.x]), area.y + area.h * (1 - sy.to(p.values[this.y]))];
    this.place = place;
    const known = points.filter((p) => p.values[this.x] !== null && p.values[this.y] !== null);
    const front = known.filter((p) => p.front).sort((a, b) => a.values[this.x] - b.values[this.x]);
    ctx.strokeStyle = c.accent; ctx.lineWidth = 1.5; ctx.globalAlpha = 0.5;
    if (objectives.length === 2) { ctx.beginPath(); for (const p of front) ctx.lineTo(...place(p)); ctx.stroke(); }
    ctx.globalAlpha = 1;
    for (const on of [false, true]) {
      ctx.fillStyle = on ? c.accent : c.quiet;
      ctx.globalAlpha = on ? 1 : 0.45;
      for (const p of known) {
        if (p.front !== on) continue;
        const [x, y] = place(p);
        ctx.beginPath(); ctx.arc(x, y, on ? 4.5 : 2.8, 0, 7); ctx.fill();
        this.plot.point(x, y, p.number);
      }
    }
    ctx.globalAlpha = 1;
  }

  ringed(ctx, area, c) {
    const p = this.data?.points.find((q) => q.number === this.app.selected);
    if (p && this.place && p.values[this.x] !== null && p.values[this.y] !== null) ring(ctx, c, ...this.place(p), 7);
  }

  describe(number) {
    const p = this.data.points.find((q) => q.number === number);
    return p ? [`Trial ${number}${p.front ? ', on the front' : ''}`, ...this.data.objectives.map((o, i) => `${line(o.metric)} ${num(p.values[i])}`)].join('\n') : '';
  }

  rowsTable() {
    const rows = [...(this.data?.points ?? [])].sort((a, b) => Number(b.front) - Number(a.front) || a.values[0] - b.values[0]);
    return plainTable('Pareto front', [
      { label: 'Trial', get: (p) => p.number },
      { label: 'Front', text: true, get: (p) => (p.front ? 'yes' : '') },
      ...(this.data?.objectives ?? []).map((o, i) => ({ label: `${line(o.metric)} (${o.mode})`, get: (p) => num(p.values[i]) })),
    ], rows, { pick: (p) => p.number, selected: this.app.selected });
  }
}
