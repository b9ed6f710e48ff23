// What each worker did when, and why it was idle in between.
import { choice, el, empty, fill, plainTable } from './dom.js';
import { count, duration, line, whole } from './format.js';
import { Plot, axes, scale, timeTicks } from './plot.js';
import { View } from './view.js';

export const workers = {
  name: 'workers',
  label: 'Workers',
  mount: (host, app) => new Workers(host, app),
};

class Workers extends View {
  constructor(host, app) {
    super(host, app);
    this.back = null;
    this.tools.append(choice('Since', [['all', 'All'], ['600', '10 min'], ['60', '1 min']], 'all', (v) => { this.back = v === 'all' ? null : Number(v); this.render(); }));
    this.withTable(() => this.rowsTable());
    this.plot = new Plot('Timeline of workers: which trial each one ran, and where it was idle', {
      draw: (...a) => this.draw(...a), describe: (n) => this.describe(n), pick: (n) => { const s = this.parts[n]; if (s?.number !== undefined) app.pick(s.number); },
      over: (...a) => this.outlined(...a), pad: [16, 20, 44, 92],
    });
    this.plots = [this.plot];
    this.gaps = el('div', { class: 'reasons' });
    this.load('/workers');
  }

  paint() {
    if (!this.data) return;
    const { lanes } = this.data;
    if (lanes.length === 0) { fill(this.stage, empty('No worker has begun anything yet.')); return; }
    if (!this.stage.contains(this.plot.node)) fill(this.stage, el('div', { class: 'scroller' }, this.plot.node, this.gaps));
    this.plot.node.style.setProperty('height', `${lanes.length * (lanes.length > 24 ? 16 : 38) + 60}px`);
    super.paint();
    this.reasons();
    this.say(this.data.chosen && this.data.chosen !== 'all' ? line(this.data.chosen) : `${count(lanes.length, 'worker')}. Filled: a trial. Hatched: idle; point at it to see why.`);
  }

  /** How long workers were idle in all, by reason. */
  reasons() {
    const { lanes, now } = this.data;
    const sums = new Map();
    let busy = 0, idle = 0;
    for (const lane of lanes) {
      for (const s of lane.spans) busy += (s.to ?? now) - s.from;
      for (const g of lane.gaps) {
        const t = (g.to ?? now) - g.from;
        idle += t;
        sums.set(g.why, (sums.get(g.why) ?? 0) + t);
      }
    }
    const list = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 5);
    const share = busy + idle > 0 ? Math.round((100 * busy) / (busy + idle)) : 0;
    fill(this.gaps, el('p', {}, el('strong', { text: `${share} % busy` }), list.length > 0 ? ' · idle because:' : ' · never idle'),
      el('ul', {}, list.map(([why, t]) => el('li', {}, el('span', { class: 'num', text: duration(t) }), el('span', { text: line(why) })))));
  }

  draw(ctx, area, c) {
    const { lanes, now } = this.data;
    let begin = Infinity, until = -Infinity;
    for (const lane of lanes) for (const s of [...lane.spans, ...lane.gaps]) { begin = Math.min(begin, s.from); until = Math.max(until, s.to ?? now); }
    if (this.back !== null) begin = Math.max(begin, until - this.back);
    const sx = scale(begin, until);
    axes(ctx, c, area, sx, scale(0, 1), { yTicks: [], xTicks: timeTicks(sx, Math.max(2, area.w / 100)) });
    const h = area.h / lanes.length, bar = Math.max(4, Math.min(24, h - 6));
    this.parts = [];
    this.boxes = [];
    ctx.save();
    ctx.textBaseline = 'middle';
    lanes.forEach((lane, i) => {
      const y = area.y + h * i + (h - bar) / 2;
      ctx.fillStyle = c.quiet; ctx.textAlign = 'right';
      ctx.fillText(line(lane.worker).slice(-13), area.x - 10, y + bar / 2);
      const place = (s) => {
        const a = Math.max(0, sx.to(s.from)), b = Math.min(1, sx.to(s.to ?? now));
        return b < 0 || a > 1 || b <= a ? null : [area.x + area.w * a, Math.max(1, area.w * (b - a) - 1)];
      };
      for (const g of lane.gaps) {
        const p = place(g);
        if (p === null) continue;
        this.hatch(ctx, c, p[0], y, p[1], bar);
        this.note_(p, y, bar, { ...g, worker: lane.worker });
      }
      lane.spans.forEach((s, k) => {
        const p = place(s);
        if (p === null) return;
        ctx.globalAlpha = s.to === null ? 1 : k % 2 ? 0.75 : 0.45;
        ctx.fillStyle = s.to === null ? c.accent : c.faint;
        ctx.fillRect(p[0], y, p[1], bar);
        ctx.globalAlpha = 1;
        if (p[1] > 28 && bar > 12) { ctx.fillStyle = s.to === null ? c.paper : c.ink; ctx.textAlign = 'left'; ctx.fillText(String(s.number), p[0] + 5, y + bar / 2 + 0.5); }
        this.note_(p, y, bar, { ...s, worker: lane.worker });
      });
    });
    ctx.restore();
  }

  note_(p, y, bar, part) {
    const i = this.parts.push(part) - 1;
    this.boxes.push([p[0], y, p[1], bar]);
    for (let x = p[0] + Math.min(6, p[1] / 2); x < p[0] + p[1]; x += 24) this.plot.point(x, y + bar / 2, i);
  }

  hatch(ctx, c, x, y, w, h) {
    ctx.save();
    ctx.beginPath(); ctx.rect(x, y, w, h); ctx.clip();
    ctx.strokeStyle = c.quiet; ctx.lineWidth = 1; ctx.globalAlpha = 0.5;
    ctx.beginPath();
    for (let i = x - h - ((x - h) % 6); i < x + w; i += 6) { ctx.moveTo(i, y + h); ctx.lineTo(i + h, y); }
    ctx.stroke();
    ctx.restore();
  }

  outlined(ctx, area, c) {
    if (!this.parts) return;
    ctx.strokeStyle = c.ink; ctx.lineWidth = 2;
    this.parts.forEach((p, i) => { if (p.number !== undefined && p.number === this.app.selected) { const [x, y, w, h] = this.boxes[i]; ctx.strokeRect(x, y, w, h); } });
  }

  describe(i) {
    const p = this.parts[i];
    if (!p) return '';
    const t = duration((p.to ?? this.data.now) - p.from);
    return p.number !== undefined ? `Trial ${p.number} on ${line(p.worker)}\n${t}${p.to === null ? ' so far' : ''}` : `Idle ${t}\n${line(p.why)}`;
  }

  rowsTable() {
    const rows = (this.data?.lanes ?? []).flatMap((lane) => [
      ...lane.spans.map((s) => ({ ...s, worker: lane.worker })), ...lane.gaps.map((g) => ({ ...g, worker: lane.worker }))]).sort((a, b) => a.from - b.from);
    return plainTable('Workers', [
      { label: 'Worker', text: true, get: (x) => line(x.worker) },
      { label: 'From', get: (x) => duration(x.from) },
      { label: 'For', get: (x) => duration((x.to ?? this.data.now) - x.from) },
      { label: 'Trial', get: (x) => (x.number === undefined ? '' : whole(x.number)) },
      { label: 'Idle because', text: true, get: (x) => (x.why ? line(x.why) : '') },
    ], rows, { pick: (x) => x.number, selected: this.app.selected });
  }
}
