// The bar above everything: where one is, how the connection stands, light or dark; and the pages without a session.
import { button, el, fill, say } from './dom.js';
import { line } from './format.js';

const STATES = {
  live: ['Live', 'Changes arrive as they happen.'],
  waiting: ['Connecting', 'The connection is being made.'],
  polling: ['Asking', 'There is no stream here: the server is asked every two seconds.'],
  lost: ['Not connected', 'The server can’t be reached. It is tried again and again.'],
};

export class Top {
  constructor(app) {
    this.app = app;
    this.home = el('a', { class: 'brand', href: '#', title: 'All runs', on: { click: (e) => { e.preventDefault(); if (app.runs.length !== 1) app.go({ run: null, view: null, trial: null, filter: '' }); } } }, 'tryout');
    this.pick = el('select', { class: 'run-pick', 'aria-label': 'Run', on: { change: () => app.go({ run: this.pick.value, view: app.route.view === 'trial' ? null : app.route.view, trial: null, filter: '' }) } });
    this.state = el('span', { class: 'link-state', role: 'status' }, el('i', { 'aria-hidden': 'true' }), this.word = el('span', {}));
    this.role = el('span', { class: 'role quiet' });
    this.theme = button('', () => this.turn(), { class: 'small theme' });
    this.banner = el('div', { class: 'banner', role: 'alert', hidden: true });
    this.node = el('div', { class: 'top' }, el('a', { class: 'skip', href: '#main', on: { click: (e) => { e.preventDefault(); document.getElementById('main')?.focus(); } } }, 'To the content'),
      el('nav', { 'aria-label': 'Runs' }, this.home, this.pick), el('div', { class: 'top-end' }, this.state, this.role, this.theme,
        button('?', () => help(), { class: 'small', 'aria-label': 'Keys and filters', title: 'Keys and filters' })), this.banner);
    this.runs();
    this.update();
    this.connection();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.themed());
  }

  runs() {
    const { runs, route } = this.app;
    const key = JSON.stringify(runs.map((r) => [r.run, r.name, r.live]));
    if (key !== this.key) {
      this.key = key;
      fill(this.pick, el('option', { value: '', text: 'All runs' }), runs.map((r) => el('option', { value: r.run, text: `${line(r.name)}${r.live ? ' (live)' : ''}` })));
    }
    this.pick.value = route.run ?? '';
    this.pick.hidden = runs.length < 2 || route.run === null;
  }

  update() {
    this.runs();
    say(this.role, this.app.session.role === 'control' ? '' : 'watching');
    const dark = this.isDark();
    say(this.theme, dark ? 'Light' : 'Dark');
    this.theme.setAttribute('aria-label', `Change to ${dark ? 'light' : 'dark'} colours`);
  }

  connection() {
    const [word, title] = STATES[this.app.live?.state ?? 'waiting'];
    say(this.word, word);
    this.state.title = title;
    this.state.dataset.state = this.app.live?.state ?? 'waiting';
  }

  isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  }

  turn() {
    const next = this.isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem('tryout:theme', next); } catch { /* a private window keeps nothing */ }
    this.themed();
  }

  themed() {
    this.update();
    this.app.page?.theme?.();
  }

  notice(text) {
    this.banner.hidden = false;
    fill(this.banner, el('span', { text }), button('Dismiss', () => this.calm(), { class: 'small' }));
  }

  calm() {
    this.banner.hidden = true;
    fill(this.banner);
  }

  lost() {
    this.banner.hidden = false;
    fill(this.banner, el('span', {}, 'This session has ended; what is shown may be old. ', el('code', { text: 'tryout serve' }), ' prints a new link (Enter in its terminal shows another one): open it here.'));
  }
}

/** The page without a session. */
export function ended() {
  return el('main', { class: 'alone', id: 'main' },
    el('p', { class: 'brand', text: 'tryout' }),
    el('h1', { text: 'A link is needed' }),
    el('p', { text: 'This page is only for those who have a link from the machine it runs on. A link can be used once, within a minute.' }),
    el('p', { text: 'Where the runs are, start the server; it prints a link:' }),
    el('pre', {}, el('code', { text: 'tryout serve' })),
    el('p', { class: 'quiet', text: 'If it already runs, Enter in its terminal shows another link.' }));
}

export function trouble(why, again) {
  return el('main', { class: 'alone', id: 'main' },
    el('p', { class: 'brand', text: 'tryout' }), el('h1', { text: 'Nothing can be shown' }), el('p', { text: why }), button('Try again', again, { class: 'primary' }));
}

function help() {
  const rows = [
    ['/', 'to the filter'], ['Up, Down, Page, Home, End', 'from trial to trial in the table'], ['Enter', 'opens the selected trial'], ['Escape', 'closes the trial'],
    ['Left, Right', 'between views, or from point to point in a plot'],
    ['loss < 0.2', 'a filter by a value: a parameter, a metric, or number, status, iteration, value, best, time, attempts, failures, priority'],
    ['act = relu or depth >= 4', 'and, or, not, parentheses'], ['why ~ rung', 'contains'], ['memory', 'a word alone: in any text'],
  ];
  const box = el('dialog', { 'aria-label': 'Keys and filters' }, el('form', { method: 'dialog' }, el('h2', { text: 'Keys and filters' }),
    el('dl', { class: 'help' }, rows.map(([k, v]) => [el('dt', {}, el('kbd', { text: k })), el('dd', { text: v })])), el('div', { class: 'dialog-end' }, el('button', { class: 'primary', text: 'Close' }))));
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
}
