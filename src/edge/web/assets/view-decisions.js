// The decision log: what the run decided, newest first, each with its reason.
import { button, el, empty, fill } from './dom.js';
import { get, runPath } from './api.js';
import { count, duration, line } from './format.js';
import { View } from './view.js';

// More than this are fetched again when somebody goes back so far.
const KEEP = 5000;

export const decisions = {
  name: 'decisions',
  label: 'Decisions',
  mount: (host, app) => new Decisions(host, app),
};

/** One decision as a row; its trial is a button if `pick` is given. */
export function decisionRow(d, pick) {
  return el('tr', {},
    el('td', { class: 'num', text: duration(d.at) }),
    pick && el('td', { class: 'num' }, d.number === null || d.number === undefined ? '' : button(String(d.number), () => pick(d.number), { class: 'link', 'aria-label': `Trial ${d.number}` })),
    el('td', { class: 'text' }, el('span', { text: line(d.what) }), d.why && el('span', { class: 'why', text: line(d.why) })));
}

class Decisions extends View {
  constructor(host, app) {
    super(host, app);
    this.list = [];
    this.wanted = '';
    const box = el('input', { type: 'search', placeholder: 'Search the log', 'aria-label': 'Search the log', on: { input: () => { this.wanted = box.value.toLowerCase(); this.paint(); } } });
    this.tools.append(box);
    this.body = el('tbody', {});
    this.older = button('Older', () => this.back(), {});
    this.frame = el('div', { class: 'plain', tabindex: '0', role: 'region', 'aria-label': 'Decision log' },
      el('table', { class: 'log' }, el('thead', {}, el('tr', {}, el('th', { scope: 'col', class: 'num', text: 'After' }), el('th', { scope: 'col', class: 'num', text: 'Trial' }), el('th', { scope: 'col', class: 'text', text: 'What, and why' }))), this.body),
      el('div', { class: 'older' }, this.older));
    this.load('/decisions?most=200');
  }

  got() {
    // New ones join at the top; what was fetched before stays.
    const newest = this.list[0]?.seq ?? -1;
    const fresh = this.data.decisions.filter((d) => d.seq > newest);
    if (this.list.length > 0 && fresh.length === this.data.decisions.length) this.list = fresh;
    else this.list = [...fresh, ...this.list];
    if (this.list.length > KEEP) { this.list.length = KEEP; this.end_ = false; }
    if (this.end_ === undefined) this.end_ = this.data.decisions.length < 200;
  }

  async back() {
    this.older.disabled = true;
    try {
      const data = await get(runPath(this.app.key, `/decisions?most=200&before=${this.list.at(-1).seq}`), this.aborted.signal);
      this.list.push(...data.decisions);
      this.end_ = data.decisions.length < 200;
      this.paint();
    } catch (e) {
      if (e.name !== 'AbortError') this.say(line(e.message));
    }
    this.older.disabled = false;
  }

  paint() {
    if (!this.data) return;
    if (this.list.length === 0) { fill(this.stage, empty('Nothing was decided yet.')); return; }
    const rows = this.list.filter((d) => this.wanted === '' || `${d.number} ${d.what} ${d.why ?? ''}`.toLowerCase().includes(this.wanted));
    fill(this.body, rows.slice(0, 2000).map((d) => {
      const row = decisionRow(d, (n) => this.app.pick(n));
      if (d.number !== null && d.number === this.app.selected) row.className = 'is-selected';
      return row;
    }));
    this.older.hidden = this.end_ === true;
    if (!this.stage.contains(this.frame)) fill(this.stage, this.frame);
    this.say(`${count(rows.length, 'decision')}${this.end_ ? '' : ', older ones on request'}.`);
  }

  marked() {
    this.paint();
  }
}
