// The page begins here: a session, then the list of runs or one of them. The address keeps run, view, trial and filter.
import { begin, get, session as sessions, takeCode } from './api.js';
import { fill } from './dom.js';
import { line } from './format.js';
import { Live } from './live.js';
import { RunPage } from './run.js';
import { Top, ended, trouble } from './top.js';
import { Runs } from './view-runs.js';

class App {
  constructor() {
    this.host = document.getElementById('page');
    this.session = null;
    this.runs = null;
    this.route = { run: null, view: null, trial: null, filter: '' };
    this.page = null;
    addEventListener('hashchange', () => this.moved());
    sessions.addEventListener('lost', () => this.lost());
    this.start(takeCode());
  }

  async start(code) {
    try {
      this.session = await begin(code);
      this.list = (await get('api/runs')).runs;
    } catch (e) {
      if (e.status === 401) fill(this.host, ended(false));
      else fill(this.host, trouble(line(e.message), () => this.start(null)));
      return;
    }
    this.runs = this.list;
    this.top = new Top(this);
    this.body = document.createElement('div');
    this.body.className = 'body';
    fill(this.host, this.top.node, this.body);
    this.live = new Live();
    for (const kind of ['change', 'lagged', 'open']) this.live.addEventListener(kind, (e) => this.page?.[kind]?.(e.data));
    this.live.polled = (header) => this.page?.pollHeader?.(header);
    this.live.addEventListener('runs', (e) => this.takeRuns(e.data.runs));
    this.live.addEventListener('state', () => { this.top.connection(); if (this.live.state === 'waiting' || this.live.state === 'lost') this.broke = true; });
    this.live.addEventListener('open', () => this.opened());
    this.live.addEventListener('gone', () => this.lost());
    this.moved();
  }

  takeRuns(runs) {
    this.runs = runs;
    this.top.runs();
    if (this.page instanceof Runs) this.page.update(runs);
    else this.page?.summary?.(runs.find((r) => r.run === this.route.run));
  }

  /** The stream is there (again): is it still the same server, and the same session? */
  async opened() {
    if (!this.broke) return;
    this.broke = false;
    try {
      const now = await get('api/session');
      const same = now.epoch === this.session.epoch;
      this.session = now;
      this.top.calm();
      if (!same) {
        this.top.notice('The server has restarted. Everything is fetched again.');
        this.takeRuns((await get('api/runs')).runs);
        this.page?.again?.();
      }
    } catch (e) {
      if (e.status !== 401) this.broke = true;
    }
  }

  lost() {
    if (this.top) this.top.lost();
  }

  /** A new link in the same tab brings a new session. */
  async renew(code) {
    try {
      this.session = await begin(code);
      this.runs = (await get('api/runs')).runs;
    } catch (e) {
      this.top.notice(`The link didn’t work: ${line(e.message)}`);
      return;
    }
    this.top.calm();
    this.live.again();
    this.page?.again?.();
    this.moved();
  }

  parse() {
    const p = new URLSearchParams(location.hash.slice(1));
    const trial = /^\d{1,9}$/.test(p.get('trial') ?? '') ? Number(p.get('trial')) : null;
    return { run: p.get('run'), view: p.get('view'), trial, filter: p.get('filter') ?? '' };
  }

  moved() {
    const code = takeCode();
    if (code !== null) {
      if (this.live) this.renew(code); else this.start(code);
      return;
    }
    if (!this.live) return;
    const next = this.parse();
    if (next.run === null && this.runs.length === 1) next.run = this.runs[0].run;
    const other = next.run !== this.route.run || this.page === null;
    this.route = next;
    if (other) this.enter();
    else this.page.moved?.();
    this.top.update();
  }

  enter() {
    this.page?.end?.();
    const { run } = this.route;
    if (run === null) {
      document.title = 'tryout';
      this.live.want([]);
      this.page = new Runs(this.body, (key) => this.go({ run: key, view: null, trial: null, filter: '' }));
      this.page.update(this.runs);
      return;
    }
    this.page = new RunPage(this, this.body, run);
  }

  /** Changes the address; `quiet` without a step in the history. */
  go(changes, { quiet = false } = {}) {
    const next = { ...this.route, ...changes };
    const p = new URLSearchParams();
    if (next.run !== null) p.set('run', next.run);
    if (next.view) p.set('view', next.view);
    if (next.trial !== null) p.set('trial', String(next.trial));
    if (next.filter) p.set('filter', next.filter);
    const hash = `#${p}`;
    if (hash === location.hash) return;
    if (quiet) history.replaceState(null, '', hash); else history.pushState(null, '', hash);
    this.moved();
  }
}

new App();
