// One trial: where it stands and why, its configuration, curves, failures, checkpoints, decisions, and what it prints.
import uPlot from './uPlot.esm.js';
import { button, el, empty, fill, loading, say, select, statusMark, STATUS_KEYS } from './dom.js';
import { get, runPath } from './api.js';
import { forbidden, fromCheckpoint, trialActions } from './actions.js';
import { bytes, count, duration, json, line, num, whole } from './format.js';
import { colours } from './plot.js';
import { axisOptions } from './view-curves.js';
import { decisionRow } from './view-decisions.js';
import { changes } from './view-lineage.js';
import { Log } from './log.js';

const facts = (list) => el('dl', { class: 'facts' }, list.filter(([, v]) => v !== null && v !== undefined && v !== '').map(([k, v]) => [el('dt', { text: k, title: k }), el('dd', { title: typeof v === 'string' ? v : undefined }, v instanceof Node ? v : String(v))]));

/** Values of a configuration with their names, levels joined as the columns are. */
export function flat(config, prefix = '') {
  return Object.entries(config ?? {}).flatMap(([k, v]) => (v !== null && typeof v === 'object' && !Array.isArray(v) ? flat(v, `${prefix}${k}/`) : [[prefix + k, v]]));
}

export class TrialPanel {
  constructor(app) {
    this.app = app;
    this.detail = null;
    this.said = el('p', { class: 'said', role: 'status' });
    this.actions = trialActions(app, this.said);
    this.title = el('h2', { tabindex: '-1' });
    this.mark = el('span', { class: 'slot' });
    this.sub = el('p', { class: 'quiet id' });
    this.wide = button('Full width', () => app.go({ view: app.route.view === 'trial' ? 'trials' : 'trial' }), { class: 'small' });
    this.why = el('div', { class: 'whys' });
    this.stats = el('div', {});
    this.config = this.section('Configuration');
    this.metrics = this.section('Last report');
    this.curve = this.section('Curves');
    this.failures = this.section('Failures');
    this.decisions = this.section('Decisions');
    this.copies = this.section('Copies');
    this.checkpoints = this.section('Checkpoints');
    this.output = this.section('Output');
    this.log = new Log(app);
    this.body = el('div', { class: 'trial-body' }, this.said, this.actions.node, this.why, this.stats, this.curve.node, this.config.node, this.metrics.node,
      this.failures.node, this.output.node, this.decisions.node, this.checkpoints.node, this.copies.node);
    this.wait = el('div', {});
    this.node = el('aside', { class: 'trial', 'aria-label': 'Trial' },
      el('div', { class: 'trial-head' }, el('div', {}, this.title, this.mark, this.sub), el('div', { class: 'buttons' }, this.wide, button('Close', () => app.pick(null), { class: 'small', title: 'Close (Escape)' }))),
      this.wait, this.body);
    this.body.hidden = true;
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.curve.body);
    fill(this.output.body, this.log.node);
  }

  section(title) {
    const body = el('div', { class: 'section-body' });
    const node = el('section', {}, el('h3', { text: title }), body);
    return { node, body };
  }

  /** Shows a trial; again if it has changed. */
  async show(number) {
    const other = this.number !== number;
    this.number = number;
    say(this.wide, this.app.route.view === 'trial' ? 'Beside the table' : 'Full width');
    if (other) {
      this.detail = null;
      this.metric = null;
      this.abort?.abort();
      fill(this.said);
      say(this.title, `Trial ${number}`);
      say(this.sub, '');
      this.early();
      this.body.hidden = true;
      fill(this.wait, loading());
      this.log.leave();
    }
    if (this.busy && !other) { this.more = true; return; }
    this.busy = true;
    this.abort = new AbortController();
    try {
      const detail = await get(runPath(this.app.key, `/trials/${number}`), this.abort.signal);
      if (this.number !== number) return;
      this.detail = detail;
      fill(this.wait);
      this.body.hidden = false;
      this.render(other);
    } catch (e) {
      if (e.name === 'AbortError' || this.number !== number) return;
      if (this.detail === null) fill(this.wait, empty('This trial can’t be shown.', line(e.message)));
    } finally {
      if (this.number === number) this.busy = false;
    }
  }

  // What the columns already know is there at once.
  early() {
    const { trials } = this.app;
    const row = trials?.rowOf(this.number) ?? -1;
    fill(this.mark, row >= 0 ? statusMark(trials.data('status')[row]) : '');
  }

  /** A change of the run: fetched again if it is about this trial, or at least every five seconds. */
  changed(numbers) {
    if (this.number === null || this.number === undefined) return;
    const mine = numbers === null || numbers.includes(this.number);
    const ended = this.detail && (this.detail.status === 'TERMINATED' || this.detail.status === 'ERROR');
    if (!mine && (ended || performance.now() - (this.last ?? 0) < 5000)) return;
    if (this.soon) return;
    this.soon = setTimeout(() => { this.soon = null; this.last = performance.now(); if (this.number !== null) this.show(this.number); }, 300);
  }

  render(other) {
    const d = this.detail;
    fill(this.mark, statusMark(STATUS_KEYS.indexOf(d.status)));
    say(this.sub, line(d.name ? `${d.name} · ${d.id}` : d.id ?? ''));
    this.actions.update(d);
    const whys = [['Now', d.waits], ['Reason', d.reason], ['Ended', d.ending]].filter(([, v]) => v);
    fill(this.why, whys.map(([k, v]) => el('p', {}, el('b', { text: k }), ` ${line(v)}`)));
    fill(this.stats, facts([
      ['Iteration', whole(d.iteration)], ['Attempts', whole(d.attempts)], ['Priority', whole(d.priority)], ['Runs on', d.runs_on && line(d.runs_on)], ['Needs', d.request && line(d.request)],
      ['Started after', d.started === null ? null : duration(d.started)], ['Took', d.started === null ? null : duration((d.ended ?? this.app.header.elapsed) - d.started)],
    ]));
    fill(this.config.body, facts(flat(d.config).map(([k, v]) => [line(k), json(v)])));
    this.metrics.node.hidden = !d.last;
    if (d.last) fill(this.metrics.body, facts(Object.entries(d.last).map(([k, v]) => [line(k), json(v)])));
    this.failuresOf(d);
    this.decisions.node.hidden = !d.decisions?.length;
    fill(this.decisions.body, el('table', { class: 'log' }, el('tbody', {}, (d.decisions ?? []).slice(0, 200).map((x) => decisionRow(x)))));
    this.copies.node.hidden = !d.copies?.length;
    fill(this.copies.body, el('ul', { class: 'edits' }, (d.copies ?? []).map((k) => el('li', {}, el('span', { class: 'num quiet', text: duration(k.at) }),
      button(`copy of trial ${k.donor}`, () => this.app.pick(k.donor), { class: 'link' }), el('span', { text: changes(k.changed) })))));
    this.checkpoints.node.hidden = !d.checkpoints?.length;
    fill(this.checkpoints.body, el('table', { class: 'log' }, el('thead', {}, el('tr', {}, ['Index', 'Iteration', 'Size', 'Kept'].map((t, i) => el('th', { scope: 'col', class: i < 3 ? 'num' : 'text', text: t })))),
      el('tbody', {}, (d.checkpoints ?? []).map((k) => el('tr', {}, el('td', { class: 'num', text: whole(k.index) }), el('td', { class: 'num', text: whole(k.iteration) }), el('td', { class: 'num', text: bytes(k.bytes) }), el('td', {}, k.kept ? `${line(k.kept)} ` : '', !forbidden(this.app) && fromCheckpoint(this.app, this.said, d, k.index)))))));
    this.output.node.hidden = !d.outputs?.length;
    this.log.show(this.number, d.outputs ?? [], d.status === 'RUNNING');
    this.curveOf(other);
  }

  failuresOf(d) {
    this.failures.node.hidden = !d.failures?.length;
    fill(this.failures.body, (d.failures ?? []).map((f) => el('article', { class: 'failure' },
      el('p', {}, el('b', { text: line(f.kind) }), ` in attempt ${whole(f.attempt)} after ${duration(f.at)}, ${f.retried ? 'tried again' : 'not tried again'}`),
      el('pre', { class: 'message', text: this.log.clean(f.message) }),
      f.output && el('details', { open: true }, el('summary', { text: 'Last lines' }), el('pre', { tabindex: '0', text: this.log.clean(f.output) })))));
  }

  curveOf(other) {
    const { curves } = this.detail;
    const names = Object.keys(curves?.metrics ?? {}).filter((m) => curves.metrics[m].some((v) => typeof v === 'number'));
    this.curve.node.hidden = names.length === 0 || curves.x.length < 2;
    if (this.curve.node.hidden) return;
    const objective = this.app.header.objective?.metric;
    if (!names.includes(this.metric)) this.metric = names.includes(objective) ? objective : names[0];
    const data = [curves.x, curves.metrics[this.metric]];
    if (this.chart && !other && this.drawn === this.metric) { this.chart.setData(data); return; }
    this.chart?.destroy();
    this.drawn = this.metric;
    const c = colours();
    const stage = el('div', { class: 'trial-curve' });
    fill(this.curve.body, names.length > 1 && select('Metric', names.map((n) => [n, line(n)]), this.metric, (m) => { this.metric = m; this.curveOf(true); }), stage);
    this.stage = stage;
    this.chart = new uPlot({
      width: Math.max(200, this.curve.body.clientWidth || 380), height: 170, legend: { show: false }, scales: { x: { time: false } }, axes: axisOptions(c),
      cursor: { drag: { x: true, y: false } },
      series: [{}, { stroke: c.accent, width: 2, spanGaps: true, points: { show: curves.x.length < 40, size: 5, fill: c.accent } }],
    }, data, stage);
    const y = data[1].filter((v) => typeof v === 'number');
    this.chart.root.setAttribute('role', 'img');
    this.chart.root.setAttribute('aria-label', `${line(this.metric)} over ${count(curves.x.at(-1), 'iteration')}: first ${num(y[0])}, last ${num(y.at(-1))}, least ${num(Math.min(...y))}, greatest ${num(Math.max(...y))}`);
  }

  fit() {
    const w = this.curve.body.clientWidth;
    if (this.chart && w > 100 && w !== this.chart.width) this.chart.setSize({ width: w, height: 170 });
  }

  theme() {
    if (this.detail) this.curveOf(true);
  }

  leave() {
    this.number = null;
    this.abort?.abort();
    this.busy = false;
    this.log.leave();
  }
}
