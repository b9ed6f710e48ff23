// Live changes. Browsers allow six connections to a host, so one tab holds the stream and tells the others.
import { get, runPath } from './api.js';

const SCOPE = `tryout:${location.pathname}`;
const LIMIT = 30000;

/**
 * Events of this object: `change`, `lagged`, `runs` with the server's data; `open` with the runs that the stream has, `fresh` if it is a new one;
 * `state` with `live`, `waiting`, `polling` or `lost`; `gone` when there is no session any more.
 */
export class Live extends EventTarget {
  constructor() {
    super();
    this.wanted = new Set();
    this.state = 'waiting';
    this.leads = false;
    this.others = new Map();
    this.me = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
    this.source = null;
    this.openFor = new Set();
    this.failed = 0;
    this.timer = null;
    this.seen = Date.now();
    this.channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(SCOPE);
    if (this.channel) this.channel.onmessage = (e) => this.heard(e.data);
    if (typeof EventSource === 'undefined') this.poll();
    else this.stand();
    this.watchSleep();
  }

  emit(kind, data) {
    this.dispatchEvent(Object.assign(new Event(kind), { data }));
  }

  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit('state', state);
    if (this.leads) this.channel?.postMessage({ kind: 'state', data: state });
  }

  /** Which runs this tab shows. */
  want(keys) {
    this.wanted = new Set(keys);
    this.channel?.postMessage({ kind: 'want', from: this.me, keys: [...keys] });
    if (this.leads) this.reopen();
  }

  // The lock belongs to one tab for as long as it lives; then the next one leads. Each tab also holds a lock of its own name,
  // by which the leader knows which tabs are still there.
  stand() {
    if (!navigator.locks) { this.lead(); return; }
    navigator.locks.request(`${SCOPE}:tab:${this.me}`, () => new Promise(() => {}));
    navigator.locks.request(`${SCOPE}:leader`, () => {
      this.lead();
      return new Promise(() => {});
    });
  }

  lead() {
    this.leads = true;
    this.channel?.postMessage({ kind: 'who' });
    this.reopen();
  }

  heard({ kind, from, keys, data }) {
    if (kind === 'who') this.channel.postMessage({ kind: 'want', from: this.me, keys: [...this.wanted] });
    else if (kind === 'want') {
      this.others.set(from, keys);
      if (!this.leads) return;
      if (keys.every((k) => this.openFor.has(k))) this.channel.postMessage({ kind: 'open', data: { keys: [...this.openFor], fresh: false } });
      else this.reopen();
    } else if (kind === 'state') { this.state = data; this.emit('state', data); } else this.emit(kind, data);
  }

  async tabs() {
    if (!navigator.locks?.query) return;
    const { held } = await navigator.locks.query();
    const there = new Set(held.map((l) => l.name));
    for (const id of this.others.keys()) if (!there.has(`${SCOPE}:tab:${id}`)) this.others.delete(id);
  }

  async reopen() {
    clearTimeout(this.timer);
    this.turn = (this.turn ?? 0) + 1;
    const turn = this.turn;
    await this.tabs();
    if (turn !== this.turn) return;
    const keys = new Set(this.wanted);
    for (const list of this.others.values()) for (const k of list) keys.add(k);
    this.source?.close();
    const query = [...keys].map((k) => `run=${encodeURIComponent(k)}`).join('&');
    const source = new EventSource(`api/events${query ? `?${query}` : ''}`);
    this.source = source;
    let fresh = true;
    source.onopen = () => {
      this.failed = 0;
      this.openFor = keys;
      this.become('live');
      this.pass('open', { keys: [...keys], fresh });
      fresh = false;
    };
    for (const kind of ['change', 'lagged', 'runs']) {
      source.addEventListener(kind, (e) => {
        let data;
        try { data = JSON.parse(e.data); } catch { data = null; }
        if (data) this.pass(kind, data);
      });
    }
    source.onerror = () => this.broken(source);
  }

  pass(kind, data) {
    this.emit(kind, data);
    this.channel?.postMessage({ kind, data });
  }

  // A stream that breaks off is opened again by the browser, with where it was; one that is refused, by us.
  broken(source) {
    if (source !== this.source) return;
    this.openFor = new Set();
    this.failed += 1;
    this.become(this.failed > 2 ? 'lost' : 'waiting');
    if (source.readyState !== EventSource.CLOSED) return;
    const wait = Math.min(LIMIT, 500 * 2 ** this.failed);
    this.timer = setTimeout(async () => {
      try {
        await get('api/session');
        if (this.failed > 6) this.poll(); else this.reopen();
      } catch (e) {
        if (e.status === 401) this.pass('gone', null);
        else this.broken(source);
      }
    }, wait);
  }

  /** Opens the stream again at once: somebody has asked for it, or a new session is there. */
  again() {
    this.failed = 0;
    if (this.leads) this.reopen();
    else this.channel?.postMessage({ kind: 'want', from: this.me, keys: [...this.wanted] });
  }

  // A computer that slept has a stream that only seems to be there.
  watchSleep() {
    const woke = () => {
      // This clock also goes while the computer sleeps.
      const now = Date.now();
      const slept = now - this.seen > 60000;
      this.seen = now;
      if (slept) this.again();
    };
    setInterval(woke, 10000);
    addEventListener('online', () => this.again());
    addEventListener('pageshow', (e) => { if (e.persisted) this.again(); });
  }

  // Where there are no streams: ask, and ask less often where nothing is answered.
  async poll() {
    let wait = 2000;
    const round = async () => {
      const began = performance.now();
      try {
        for (const key of this.wanted) {
          const header = await get(runPath(key));
          await this.polled?.(header);
        }
        this.emit('runs', await get('api/runs'));
        this.become('polling');
        // What takes long is asked for less often.
        wait = Math.min(LIMIT, Math.max(2000, 5 * (performance.now() - began)));
      } catch {
        this.become('lost');
        wait = Math.min(LIMIT, wait * 2);
      }
      this.timer = setTimeout(round, wait);
    };
    round();
  }
}
