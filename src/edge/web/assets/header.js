// The head of a run: how it stands, what is best, what is left, and why it waits.
import { add, button, el, fill, say } from './dom.js';
import { count, duration, line, num, sentence, whole } from './format.js';
import { counts, stateMark } from './marks.js';
import { runActions } from './actions.js';

const stat = (label) => {
  const value = el('dd', { class: 'num' });
  const more = el('dd', { class: 'more' });
  return { node: el('div', { class: 'stat' }, el('dt', { text: label }), value, more), value, more };
};

export class Header {
  constructor(app) {
    this.app = app;
    this.name = el('h1', {});
    this.state = el('span', { class: 'slot' });
    this.said = el('p', { class: 'said', role: 'status' });
    this.actions = runActions(app, this.said);
    this.best = stat('Best so far');
    this.bestLink = button('', () => { const b = app.header?.best; if (b) app.pick(b.number); }, { class: 'link' });
    this.trials = el('div', { class: 'stat wide' }, el('dt', { text: 'Trials' }));
    this.counts = el('dd', {});
    this.trials.append(this.counts);
    this.time = stat('Elapsed');
    this.left = stat('Left, about');
    this.work = stat('Iterations');
    this.pool = stat('Workers');
    this.why = el('p', { class: 'waits', role: 'status' });
    this.facts = el('div', { class: 'facts' });
    this.details = el('details', { class: 'run-details' }, el('summary', { text: 'About this run' }), this.facts);
    this.node = el('header', { class: 'run-head' },
      el('div', { class: 'run-title' }, this.name, this.state, this.actions.node),
      this.said,
      el('dl', { class: 'stats' }, this.best.node, this.trials, this.work.node, this.time.node, this.left.node, this.pool.node),
      el('div', { class: 'run-foot' }, this.why, this.details));
    this.best.more.append(this.bestLink);
    this.began = performance.now();
  }

  update() {
    const h = this.app.header;
    say(this.name, line(h.name));
    if (this.shown !== h.state) { this.shown = h.state; fill(this.state, stateMark(h.state)); }
    this.actions.update();
    say(this.best.node.firstChild, h.objective ? `Best ${line(h.objective.metric)} (${h.objective.mode})` : 'Best so far');
    say(this.best.value, h.best ? num(h.best.value) : '–');
    say(this.bestLink, h.best ? `trial ${h.best.number}` : '');
    this.bestLink.hidden = !h.best;
    fill(this.counts, counts(h));
    say(this.time.value, duration(h.elapsed));
    say(this.time.more, h.budget?.time_limit ? `of ${duration(h.budget.time_limit)}` : '');
    say(this.left.value, h.eta === null || h.eta === undefined ? '–' : duration(h.eta));
    say(this.left.more, h.budget?.samples ? `${whole(h.budget.samples)} samples` : h.live && !h.total ? 'no limit on samples' : '');
    say(this.work.value, whole(h.iterations));
    say(this.work.more, h.changes?.length > 0 ? `${count(h.changes.length, 'live edit')}` : '');
    say(this.pool.value, h.pool ? whole(h.pool.workers) : '–');
    say(this.pool.more, h.pool ? `free: ${line(h.pool.free)}` : '');
    this.pool.more.title = h.pool ? `free ${line(h.pool.free)} of ${line(h.pool.total)}` : '';
    this.waits(h);
    this.about(h);
  }

  waits(h) {
    const list = (h.waits ?? []).map(line);
    const stuck = h.live && list.length > 0;
    this.why.classList.toggle('is-stuck', stuck);
    this.why.classList.toggle('is-bad', h.state === 'failed' || h.state === 'unreadable');
    const text = stuck ? `Waits: ${list.join('; ')}` : h.why ? sentence(h.why) : h.live ? 'Nothing holds it up.' : 'It has ended.';
    say(this.why, text);
    this.why.title = text;
  }

  about(h) {
    const facts = [
      ['Directory', h.dir], ['Searcher', h.searcher], ['Scheduler', h.progress ? `${h.scheduler}: ${h.progress}` : h.scheduler], ['Concurrency', h.budget?.concurrency], ['Stop rules', h.budget?.stop?.map((r) => JSON.stringify(r).slice(1, -1)).join(', ')], ['Resources', h.pool?.total], ['Left by other runs of the host', h.pool?.cap],
      ['Space', h.space_version > 0 ? `changed ${count(h.space_version, 'time')}` : null],
    ].filter(([, v]) => v !== null && v !== undefined && v !== '');
    const key = JSON.stringify([facts, h.changes]);
    if (key === this.factsKey) return;
    this.factsKey = key;
    fill(this.facts, el('dl', {}, facts.map(([k, v]) => [el('dt', { text: k }), el('dd', { text: line(v) })])));
    if (h.changes?.length > 0) {
      add(this.facts, [el('h3', { text: 'Live edits' }), el('ul', { class: 'edits' }, h.changes.slice(-20).reverse().map((c) => el('li', {},
        el('span', { class: 'num quiet', text: duration(c.at) }), el('span', { text: line(c.what) }), c.by && el('span', { class: 'quiet', text: `by ${line(c.by)}` }))))]);
    }
  }
}
