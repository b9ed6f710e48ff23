// A population: who became a copy of whom, when, and what was changed.
import { empty, fill, plainTable } from './dom.js';
import { count, duration, json, line, num, whole } from './format.js';
import { Plot, axes, scale, timeTicks } from './plot.js';
import { View } from './view.js';

export const lineage = {
  name: 'lineage',
  label: 'Lineage',
  offered: (header) => header.has?.lineage === true,
  mount: (host, app) => new Lineage(host, app),
};

/** What a copy changed, in words. */
export const changes = (changed) => Object.entries(changed ?? {}).map(([name, [a, b]]) => `${line(name)} ${json(a)} → ${json(b)}`).join(', ');

class Lineage extends View {
  constructor(host, app) {
    super(host, app);
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('Lineage: one line a member, and each copy from its donor', {
      draw: (...a) => this.draw(...a), over: (...a) => this.ancestry(...a), describe: (i) => this.describe(i),
      pick: (i) => { const p = this.parts[i]; if (p) app.pick(p.number); }, pad: [20, 24, 44, 64],
    });
    this.plots = [this.plot];
    this.load('/lineage');
  }

  paint() {
    if (!this.data) return;
    if (this.data.copies.length === 0) { fill(this.stage, empty('No trial has become a copy of another yet.')); return; }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, this.plot.node);
    const members = this.members();
    this.plot.node.style.setProperty('min-height', `${Math.min(members.length, 400) * 13 + 64}px`);
    super.paint();
    this.say(`${count(this.data.copies.length, 'copy', 'copies')} among ${count(members.length, 'member')}. A line comes from the donor; the filled end is the trial that became its copy.`);
  }

  members() {
    const { trials } = this.app;
    const seen = new Set(this.data.copies.flatMap((c) => [c.number, c.donor]));
    if (trials.n <= 200) for (let i = 0; i < trials.n; i += 1) seen.add(trials.data('number')[i]);
    return [...seen].sort((a, b) => a - b);
  }

  draw(ctx, area, c) {
    const { copies } = this.data;
    const { trials, header } = this.app;
    const members = this.members();
    const at = new Map(members.map((m, i) => [m, i]));
    const end = Math.max(header.elapsed ?? 0, ...copies.map((k) => k.at));
    const first = members.map((m) => trials.rowOf(m)).filter((r) => r >= 0).map((r) => trials.data('started')[r]).filter((t) => !Number.isNaN(t));
    const begin = Math.min(...first, ...copies.map((k) => k.at));
    const sx = scale(begin, end);
    axes(ctx, c, area, sx, scale(0, 1), { yTicks: [], xTicks: timeTicks(sx, Math.max(2, area.w / 110)) });
    const y = (m) => area.y + (area.h * (at.get(m) + 0.5)) / members.length;
    const x = (t) => area.x + area.w * sx.to(t);
    this.at = { x, y, begin, end };
    ctx.textAlign = 'right'; ctx.textBaseline = 'middle';
    const every = Math.ceil(members.length / (area.h / 13));
    members.forEach((m, i) => {
      const row = trials.rowOf(m);
      const from = row < 0 ? 0 : trials.data('started')[row], to = row < 0 ? end : trials.data('ended')[row];
      ctx.strokeStyle = c.faint; ctx.lineWidth = 1.5;
      ctx.beginPath(); ctx.moveTo(x(Number.isNaN(from) ? begin : from), y(m)); ctx.lineTo(x(Number.isNaN(to) ? end : to), y(m)); ctx.stroke();
      ctx.fillStyle = m === this.app.header.best?.number ? c.accent : c.quiet;
      if (i % every === 0) ctx.fillText(String(m), area.x - 10, y(m));
    });
    this.parts = copies;
    copies.forEach((k, i) => {
      this.link(ctx, k, c.accent, 0.35, 1.25);
      ctx.fillStyle = c.accent;
      ctx.beginPath(); ctx.arc(x(k.at), y(k.number), 3, 0, 7); ctx.fill();
      this.plot.point(x(k.at), y(k.number), i);
    });
  }

  link(ctx, k, colour, alpha, width) {
    const { x, y } = this.at;
    ctx.globalAlpha = alpha; ctx.strokeStyle = colour; ctx.lineWidth = width;
    const a = x(k.at) - 12;
    ctx.beginPath(); ctx.moveTo(a, y(k.donor)); ctx.bezierCurveTo(a + 9, y(k.donor), x(k.at) - 9, y(k.number), x(k.at), y(k.number)); ctx.stroke();
    ctx.globalAlpha = 1;
  }

  /** Where the selected trial's state came from, back to the beginning. */
  ancestry(ctx, area, c) {
    if (!this.at || this.app.selected === null || !this.data) return;
    const { x, y, begin, end } = this.at;
    let member = this.app.selected, until = end;
    for (let i = 0; i < 10000; i += 1) {
      const copy = this.data.copies.filter((k) => k.number === member && k.at <= until).sort((a, b) => b.at - a.at)[0];
      ctx.strokeStyle = c.ink; ctx.lineWidth = 2.5;
      if (!Number.isNaN(y(member))) { ctx.beginPath(); ctx.moveTo(x(copy ? copy.at : begin), y(member)); ctx.lineTo(x(until), y(member)); ctx.stroke(); }
      if (!copy) return;
      this.link(ctx, copy, c.ink, 1, 2.5);
      until = copy.at - 1e-9;
      member = copy.donor;
    }
  }

  describe(i) {
    const k = this.parts[i];
    return k ? `Trial ${k.number} became a copy of ${k.donor}\nafter ${duration(k.at)}, at iteration ${whole(k.iteration)}\n${changes(k.changed)}` : '';
  }

  rowsTable() {
    return plainTable('Copies', [
      { label: 'After', get: (k) => duration(k.at) }, { label: 'Trial', get: (k) => k.number }, { label: 'Copy of', get: (k) => k.donor },
      { label: 'Iteration', get: (k) => num(k.iteration) }, { label: 'Changed', text: true, get: (k) => changes(k.changed) },
    ], this.data?.copies ?? [], { pick: (k) => k.number, selected: this.app.selected });
  }
}
