// What a trial prints, live while it runs.
import { choice, el, fill, say } from './dom.js';
import { get, runPath } from './api.js';
import { bytes, line, lines } from './format.js';

const KEEP = 400000;
const EVERY = 2000;

export class Log {
  constructor(app) {
    this.app = app;
    this.clean = (text) => lines(text);
    this.pre = el('pre', { class: 'output', tabindex: '0', role: 'log', 'aria-label': 'Output of the trial' });
    this.names = el('div', { class: 'slot' });
    this.size = el('p', { class: 'quiet' });
    this.node = el('div', {}, this.names, this.pre, this.size);
    this.leave();
  }

  show(number, outputs, live) {
    this.live = live;
    const key = `${number}:${outputs.join('\n')}`;
    if (key === this.key) { this.follow(); return; }
    const same = this.number === number && outputs.includes(this.name);
    this.key = key;
    this.number = number;
    if (outputs.length === 0) return;
    if (!same) this.open(outputs[0]);
    fill(this.names, outputs.length > 1 && choice('Output', outputs.map((n) => [n, line(n)]), this.name, (n) => this.open(n)));
  }

  open(name) {
    this.name = name;
    this.next = null;
    this.text = '';
    say(this.pre, '');
    this.fetch();
  }

  async fetch() {
    if (this.busy || this.name === null) return;
    this.busy = true;
    const { number, name } = this;
    try {
      const from = this.next === null ? '' : `?from=${this.next}`;
      const part = await get(runPath(this.app.key, `/trials/${number}/output/${encodeURIComponent(name)}${from}`));
      if (number === this.number && name === this.name) this.take(part);
    } catch (e) {
      if (number === this.number && name === this.name) say(this.size, line(e.message));
    }
    this.busy = false;
    if (number !== this.number || name !== this.name) { if (this.name !== null) this.fetch(); return; }
    this.follow();
  }

  take(part) {
    const { pre } = this;
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24;
    const first = this.next === null;
    this.next = part.next;
    if (part.text !== '') {
      this.text += part.text;
      if (this.text.length > KEEP) this.text = this.text.slice(-KEEP);
      pre.textContent = this.clean(this.text);
      if (atEnd || first) pre.scrollTop = pre.scrollHeight;
    }
    say(this.size, part.size === 0 ? 'Nothing printed yet.' : `${bytes(part.size)} in all${this.live ? '; new lines appear as they come' : ''}`);
    this.more = part.next < part.size;
  }

  // Output isn't an event of the run, so it is asked for while somebody looks at it.
  follow() {
    if (this.timer || this.name === null || !(this.live || this.more)) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (document.hidden) { document.addEventListener('visibilitychange', () => this.follow(), { once: true }); return; }
      this.fetch();
    }, this.more ? 50 : EVERY);
  }

  leave() {
    clearTimeout(this.timer);
    this.timer = null;
    this.key = '';
    this.name = null;
    this.number = null;
    this.live = false;
    this.more = false;
    say(this.pre, '');
    say(this.size, '');
  }
}
