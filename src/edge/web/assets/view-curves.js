// Curves of many trials over iterations.
import uPlot from './uPlot.esm.js';
import { choice, el, empty, fill, plainTable, select, toggle } from './dom.js';
import { line, num, whole } from './format.js';
import { colours, quantile } from './plot.js';
import { View } from './view.js';

export const curves = {
  name: 'curves',
  label: 'Curves',
  mount: (host, app) => new Curves(host, app),
};

// Between two iterations there is nothing.
const WHOLE = [1, 2, 5].flatMap((n) => Array.from({ length: 9 }, (_, e) => n * 10 ** e)).sort((a, b) => a - b);

/** uPlot's axes in the colours of the page. */
export function axisOptions(c, label) {
  const one = { stroke: c.quiet, font: c.font, grid: { stroke: c.rule, width: 1 }, ticks: { show: false }, gap: 6 };
  return [
    { ...one, size: 34, grid: { show: false }, incrs: WHOLE, values: (_, v) => v.map((x) => (x === null ? '' : num(x))) },
    { ...one, size: 62, label: undefined, values: (_, v) => v.map((x) => (x === null ? '' : num(x))) },
  ];
}

class Curves extends View {
  constructor(host, app) {
    super(host, app);
    this.most = 100;
    this.log = false;
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.stage);
    this.begin();
  }

  begin() {
    const { header } = this.app;
    const metrics = header.metrics ?? [];
    this.metric = metrics.includes(header.objective?.metric) ? header.objective.metric : metrics[0];
    if (this.metric === undefined) {
      fill(this.stage, empty('No trial has reported a metric yet.'));
      return;
    }
    this.tools.append(
      select('Metric', metrics.map((m) => [m, line(m)]), this.metric, (m) => { this.metric = m; this.ask(); }),
      choice('How many', [[100, '100'], [500, '500']], this.most, (n) => { this.most = n; this.ask(); }),
      toggle('Log', false, (on) => { this.log = on; this.render(); }),
    );
    this.withTable(() => this.rowsTable());
    this.ask();
  }

  update(what) {
    // A run that had just begun may have its first metric now.
    if (this.metric !== undefined) super.update(what);
    else if (this.app.header.metrics?.length > 0) this.begin();
  }

  ask() {
    this.load(`/curves?metric=${encodeURIComponent(this.metric)}&most=${this.most}`);
  }

  /** uPlot wants one x for all: the iterations that any curve has. */
  aligned() {
    const xs = new Set();
    for (const curve of this.data.curves) for (const x of curve.x) xs.add(x);
    const x = Float64Array.from(xs).sort();
    const at = new Map();
    x.forEach((v, i) => at.set(v, i));
    const ys = this.data.curves.map((curve) => {
      const y = new Array(x.length).fill(undefined);
      curve.x.forEach((v, i) => {
        const value = curve.y[i];
        y[at.get(v)] = value === null || (this.log && value <= 0) ? null : value;
      });
      return y;
    });
    return [x, ...ys];
  }

  order() {
    const mode = this.app.header.objective?.metric === this.metric ? this.app.header.objective.mode : 'min';
    const lasts = this.data.curves.map((curve, i) => [curve.y.findLast((v) => v !== null) ?? NaN, i]);
    lasts.sort((a, b) => (mode === 'max' ? b[0] - a[0] : a[0] - b[0]));
    const rank = new Array(lasts.length);
    lasts.forEach(([, i], at) => { rank[i] = Math.floor((at / lasts.length) * 16); });
    return rank;
  }

  paint() {
    if (!this.data) return;
    if (this.data.curves.length === 0) { this.drop(); fill(this.stage, empty(`No trial has reported ${line(this.metric)} yet.`)); return; }
    const c = colours();
    const rank = this.order();
    this.numbers = this.data.curves.map((curve) => curve.number);
    // The same curves with more points: the chart stays, and with it what somebody has zoomed into.
    const key = JSON.stringify([this.metric, this.log, this.app.selected, c.ink, rank, this.numbers]);
    if (this.chart && key === this.key) {
      const x = this.chart.data[0], { min, max } = this.chart.scales.x;
      this.chart.setData(this.aligned(), min <= x[0] && max >= x.at(-1));
      return;
    }
    this.key = key;
    this.drop();
    this.frame = el('div', { class: 'frame' });
    fill(this.stage, this.frame);
    const box = this.frame.getBoundingClientRect();
    const style = (number, i) => {
      const mine = number === this.app.selected;
      return { stroke: mine ? c.ink : c.ramp[rank[i]], width: mine ? 3 : 1.25, points: { show: this.data.curves[i].x.length === 1, size: 4 }, spanGaps: true };
    };
    const options = {
      width: Math.max(100, box.width), height: Math.max(160, box.height),
      legend: { show: false },
      cursor: { focus: { prox: 24 }, points: { show: false }, drag: { x: true, y: false } },
      focus: { alpha: 0.25 },
      padding: [16, 20, 0, 0],
      scales: { x: { time: false }, y: this.log ? { distr: 3 } : { range: (u, low, high) => this.range(low, high) } },
      axes: axisOptions(c),
      series: [{}, ...this.numbers.map((n, i) => style(n, i))],
      hooks: { setSeries: [(u, i) => this.hovered(i)] },
    };
    this.chart = new uPlot(options, this.aligned(), this.frame);
    this.chart.root.setAttribute('role', 'img');
    this.chart.root.setAttribute('aria-label', `Curves of ${this.numbers.length} trials: ${line(this.metric)} over iterations. The toggle “As a table” shows the same values.`);
    this.chart.over.addEventListener('click', () => { if (this.near > 0) this.app.pick(this.numbers[this.near - 1]); });
    this.words();
  }

  // One curve that begins far away would press all others flat: they leave the picture instead.
  range(low, high) {
    const all = Float64Array.from(this.data.curves.flatMap((curve) => curve.y.filter((v) => v !== null)));
    const [a, b] = [quantile(all, 0.02), quantile(all, 0.98)];
    const top = Math.min(high, b + (b - a) * 0.5), bottom = Math.max(low, a - (b - a) * 0.5);
    const pad = (top - bottom) * 0.05 || Math.abs(top) * 0.1 || 1;
    return [bottom - pad, top + pad];
  }

  words() {
    const near = this.near > 0 ? this.numbers[this.near - 1] : null;
    const text = near === null ? `${whole(this.numbers.length)} curves (${line(this.data.chosen ?? '')}). Drag to zoom, double click to see all.` : `Trial ${near}: ${line(this.metric)} ${num(this.data.curves[this.near - 1].y.at(-1))}`;
    this.say(text);
  }

  hovered(i) {
    this.near = i ?? 0;
    this.words();
  }

  marked() {
    this.render();
  }

  fit() {
    if (!this.chart) return;
    const box = this.frame.getBoundingClientRect();
    if ( box.width > 100 && box.height > 100) this.chart.setSize({ width: box.width, height: box.height });
  }

  drop() {
    this.chart?.destroy();
    this.chart = null;
    this.near = 0;
  }

  end() {
    super.end();
    this.size?.disconnect();
    this.drop();
  }

  rowsTable() {
    return plainTable(`Curves of ${line(this.metric)}`, [
      { label: 'Trial', get: (x) => x.number },
      { label: 'Iterations', get: (x) => whole(x.x.at(-1)) },
      { label: 'First', get: (x) => num(x.y[0]) },
      { label: 'Least', get: (x) => num(Math.min(...x.y.filter((v) => v !== null))) },
      { label: 'Greatest', get: (x) => num(Math.max(...x.y.filter((v) => v !== null))) },
      { label: 'Last', get: (x) => num(x.y.at(-1)) },
    ], this.data?.curves ?? [], { pick: (x) => x.number, selected: this.app.selected });
  }
}
