// One run: its head, its views, and the trial that is selected. Changes come in here and go to what is shown.
import { get, runPath } from './api.js';
import { el, empty, fill, loading, say, took } from './dom.js';
import { compile, pass } from './filter.js';
import { line, sentence, whole } from './format.js';
import { Header } from './header.js';
import { Trials } from './store.js';
import { table } from './table.js';
import { curves } from './view-curves.js';
import { decisions } from './view-decisions.js';
import { history } from './view-history.js';
import { lineage } from './view-lineage.js';
import { parallel } from './view-parallel.js';
import { pareto } from './view-pareto.js';
import { rungs } from './view-rungs.js';
import { slice } from './view-slice.js';
import { TrialPanel } from './view-trial.js';
import { workers } from './view-workers.js';

const VIEWS = [table, history, curves, workers, parallel, slice, rungs, pareto, lineage, decisions];
const MOST = 50000;

/** Whether anything may still happen in a run, also if it can't be steered from here. */
const active = (header) => header.live || header.state === 'running' || header.state === 'ending';

export class RunPage {
  constructor(app, host, key) {
    this.app = app;
    this.key = key;
    this.header = null;
    this.trials = null;
    this.rows = new Uint32Array(0);
    this.selected = app.route.trial;
    this.filterText = app.route.filter;
    this.held = null;
    this.openFor = false;
    this.host = host;
    fill(host, loading());
    this.keys = (e) => this.key_(e);
    addEventListener('keydown', this.keys);
    app.live.want([key]);
    this.begin();
  }

  get session() { return this.app.session; }
  get route() { return this.app.route; }

  async begin() {
    try {
      this.header = await get(runPath(this.key));
    } catch (e) {
      if (!this.over) fill(this.host, empty('This run can’t be shown.', line(e.message)));
      return;
    }
    if (this.over) return;
    document.title = `${line(this.header.name)} · tryout`;
    this.build();
    // Where changes may come, the stream is there first: so none is missed between the answer and the stream.
    if (active(this.header) && !this.openFor) await this.streamed(800);
    await this.fetchTrials();
  }

  streamed(most) {
    return new Promise((resolve) => {
      this.whenOpen = resolve;
      setTimeout(resolve, most);
    });
  }

  build() {
    this.head = new Header(this);
    this.tabs = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Views' });
    this.input = el('input', { type: 'search', placeholder: 'Filter: loss < 0.2, relu', 'aria-label': 'Filter', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'filter-says', on: { input: () => this.typed() } });
    this.input.value = this.filterText;
    this.says = el('span', { class: 'filter-says', id: 'filter-says', role: 'status' });
    this.filter = el('div', { class: 'filter' }, this.input, this.says);
    this.tools = el('div', { class: 'tools' }, this.filter);
    this.chosen = el('p', { class: 'chosen', hidden: true });
    this.stage = el('div', { class: 'view', id: 'view', role: 'tabpanel' }, loading());
    this.panel = new TrialPanel(this);
    this.panel.node.hidden = true;
    this.main = el('div', { class: 'main' }, this.tools, this.chosen, this.stage);
    this.work = el('div', { class: 'work' }, this.main, this.panel.node);
    fill(this.host, el('main', { class: 'run', id: 'main', tabindex: '-1' }, this.head.node, this.tabs, this.work));
    this.head.update();
    this.drawTabs();
  }

  offered() {
    return VIEWS.filter((v) => !v.offered || v.offered(this.header));
  }

  drawTabs() {
    const list = this.offered();
    const key = list.map((v) => v.name).join(' ');
    if (key !== this.tabsKey) {
      this.tabsKey = key;
      fill(this.tabs, list.map((v) => el('button', { type: 'button', role: 'tab', id: `tab-${v.name}`, 'aria-controls': 'view', 'data-view': v.name, on: { click: () => this.go({ view: v.name }), keydown: (e) => this.tabKey(e) } }, v.label)));
    }
    const now = this.viewName();
    for (const t of this.tabs.children) {
      const on = t.dataset.view === now;
      t.setAttribute('aria-selected', String(on));
      t.tabIndex = on ? 0 : -1;
    }
    this.stage.setAttribute('aria-labelledby', `tab-${now}`);
  }

  tabKey(e) {
    const list = [...this.tabs.children];
    const i = list.indexOf(e.target);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: list.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = list[(to + list.length) % list.length];
    next.focus();
    next.click();
  }

  viewName() {
    const { view } = this.route;
    if (view === 'trial') return 'trials';
    return this.offered().some((v) => v.name === view) ? view : 'trials';
  }

  async fetchTrials() {
    this.held = this.held ?? [];
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const answer = await get(runPath(this.key, `/trials?most=${MOST}`));
      if (this.over || turn !== this.turn) return;
      const first = this.trials === null;
      this.trials = Trials.from(answer);
      const held = this.held;
      this.held = null;
      for (const change of held) this.apply(change, true);
      this.refilter();
      this.showChoice();
      if (first) { this.show(); this.selectNow(); } else { this.view?.update('reset'); this.panel.changed(null); }
      this.head.update();
    } catch (e) {
      this.held = null;
      if (this.over || turn !== this.turn) return;
      if (this.trials === null) fill(this.stage, empty('The trials can’t be shown.', line(e.message)));
      else this.app.top.notice(`Not up to date: ${line(e.message)}`);
    }
  }

  showChoice() {
    const text = this.trials.choiceInWords();
    this.chosen.hidden = text === '';
    say(this.chosen, text);
  }

  /** Mounts the view that the address names. */
  show() {
    const name = this.viewName();
    this.drawTabs();
    this.work.classList.toggle('trial-only', this.route.view === 'trial' && this.selected !== null);
    if (this.trials === null || this.viewIs === name) return;
    this.view?.end();
    this.viewIs = name;
    const view = VIEWS.find((v) => v.name === name);
    this.filter.classList.toggle('is-off', !view.filtered);
    this.input.disabled = !view.filtered;
    this.view = view.mount(this.stage, this);
  }

  // ---- what happens

  open({ keys, fresh }) {
    if (!keys.includes(this.key)) return;
    this.openFor = true;
    this.whenOpen?.();
    this.whenOpen = null;
    if (fresh && this.trials !== null) this.verify();
  }

  /** After a new stream: was anything missed before it began? */
  async verify() {
    if (this.held !== null) return;
    this.held = [];
    try {
      const header = await get(runPath(this.key));
      if (header.position === this.trials.position) {
        const held = this.held;
        this.held = null;
        for (const change of held) this.change(change);
        return;
      }
      this.header = header;
      await this.fetchTrials();
    } catch {
      this.held = null;
    }
  }

  change(data) {
    if (data.run !== this.key || this.header === null) return;
    if (this.held !== null || this.trials === null) { (this.held ??= []).push(data); return; }
    const start = performance.now();
    this.apply(data);
    took('tryout:update', start);
  }

  apply(data, quiet = false) {
    if (data.header && data.position >= this.header.position) this.header = data.header;
    if (data.position <= this.trials.position) return;
    const fresh = data.trials ? this.trials.take(data.trials) : 0;
    this.trials.position = data.position;
    if (quiet) return;
    if (fresh > 0 || this.test) this.refilter();
    this.head.update();
    this.drawTabs();
    this.view?.update('data');
    this.panel.changed(data.trials?.number ?? []);
    if (this.trials.left > 0) this.showChoice();
  }

  /** A header that was asked for: there is no stream. */
  async pollHeader(data) {
    if (data.run !== this.key || this.trials === null) return;
    const other = data.position !== this.trials.position;
    this.header = data;
    this.head.update();
    if (other) await this.fetchTrials();
  }

  lagged(data) {
    if (data.run !== this.key) return;
    this.app.top.notice(`${sentence(data.why)}. Everything is fetched again.`);
    this.again().then(() => this.app.top.calm());
  }

  /** The list of runs says something of this one: it may have been resumed, or ended. */
  async summary(run) {
    if (!run || this.header === null || (run.live === this.header.live && run.state === this.header.state)) return;
    const resumed = run.live && !this.header.live;
    try {
      this.header = await get(runPath(this.key));
      this.head.update();
      this.panel.changed(null);
      if (resumed || this.header.position !== this.trials?.position) await this.fetchTrials();
    } catch { /* the next event says it again */ }
  }

  /** Everything that is shown is fetched again. */
  async again() {
    if (this.header === null) { this.begin(); return; }
    try {
      this.header = await get(runPath(this.key));
      this.head.update();
    } catch (e) {
      this.app.top.notice(line(e.message));
    }
    await this.fetchTrials();
  }

  // ---- selection and filter

  go(changes, options) {
    this.app.go(changes, options);
  }

  pick(number, { quiet = false } = {}) {
    if (number === null) { this.go({ trial: null, view: this.route.view === 'trial' ? 'trials' : this.route.view }); return; }
    this.go({ trial: number }, { quiet: quiet || this.selected !== null });
  }

  openTrial() {
    this.panel.node.hidden = false;
    this.panel.title.focus();
  }

  moved() {
    if (this.header === null) return;
    const { trial, filter } = this.route;
    if (filter !== this.filterText && filter !== this.input.value) { this.input.value = filter; this.refilter(); this.view?.update('filter'); }
    const other = trial !== this.selected;
    this.selected = trial;
    this.show();
    if (other) this.selectNow();
    else if (trial !== null) this.panel.show(trial);
  }

  selectNow() {
    const back = this.selected === null && this.panel.node.contains(document.activeElement);
    this.panel.node.hidden = this.selected === null;
    this.work.classList.toggle('with-trial', this.selected !== null);
    this.work.classList.toggle('trial-only', this.route.view === 'trial' && this.selected !== null);
    if (this.selected !== null) {
      clearTimeout(this.later);
      // Who holds an arrow key down wants the last one, not all between.
      this.later = setTimeout(() => { if (this.selected !== null) this.panel.show(this.selected); }, 60);
    } else this.panel.leave();
    this.view?.update('select');
    if (back) this.stage.querySelector('[tabindex="0"]')?.focus();
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      const start = performance.now();
      this.refilter();
      this.view?.update('filter');
      took('tryout:filter', start);
      this.go({ filter: this.input.value.trim() }, { quiet: true });
    }, 90);
  }

  refilter() {
    if (this.trials === null) return;
    this.filterText = this.input.value.trim();
    try {
      this.test = compile(this.filterText, this.trials, this.header);
      this.rows = pass(this.test, this.trials.n);
      this.filter.classList.remove('is-wrong');
      say(this.says, this.test === null ? `${whole(this.trials.n)} trials` : `${whole(this.rows.length)} of ${whole(this.trials.n)}`);
    } catch (e) {
      this.filter.classList.add('is-wrong');
      say(this.says, line(e.message));
      // What was shown stays, with what is new.
      if (this.rows.length === 0 || this.test === null) this.rows = pass(null, this.trials.n);
    }
  }

  key_(e) {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
    if (e.key === '/' && !typing && !this.input?.disabled) { e.preventDefault(); this.input.focus(); this.input.select(); }
    if (e.key !== 'Escape') return;
    const menu = document.querySelector('details.menu[open]');
    if (menu) { menu.open = false; menu.querySelector('summary').focus(); } else if (typing && e.target === this.input) this.stage.querySelector('[tabindex="0"]')?.focus();
    else if (this.selected !== null) this.pick(null);
  }

  theme() {
    this.view?.update('theme');
    this.panel?.theme();
  }

  end() {
    this.over = true;
    removeEventListener('keydown', this.keys);
    this.view?.end();
    this.panel?.leave();
  }
}
