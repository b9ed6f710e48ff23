// The list of runs: the first page if there is more than one.
import { el, empty, fill, say } from './dom.js';
import { clock, duration, json, line, num, whole } from './format.js';
import { counts, stateMark } from './marks.js';

export class Runs {
  constructor(host, enter) {
    this.enter = enter;
    this.rows = new Map();
    this.body = el('tbody', {});
    this.title = el('p', { class: 'quiet' });
    this.table = el('table', { class: 'runs' },
      el('thead', {}, el('tr', {}, ['Run', 'State', 'Best', 'Trials', 'Elapsed', 'Began'].map((t, i) => el('th', { scope: 'col', class: i >= 2 && i !== 3 ? 'num' : 'text', text: t })))),
      this.body);
    this.box = el('div', { class: 'plain', role: 'region', 'aria-label': 'Runs' }, this.table);
    this.none = empty('There is no run here yet.', 'It appears as soon as one begins in a directory that this server shows.');
    fill(host, el('main', { class: 'runs-page', id: 'main', tabindex: '-1' }, el('h1', { text: 'Runs' }), this.title, this.box, this.none));
  }

  update(runs) {
    this.none.hidden = runs.length > 0;
    this.box.hidden = runs.length === 0;
    const live = runs.filter((r) => r.live).length;
    say(this.title, runs.length === 0 ? '' : `${whole(runs.length)} here, ${live === 0 ? 'none live' : `${whole(live)} live`}`);
    const there = new Set();
    runs.forEach((run, i) => {
      there.add(run.run);
      let row = this.rows.get(run.run);
      if (!row) { row = this.make(run); this.rows.set(run.run, row); }
      this.paint(row, run);
      if (this.body.children[i] !== row.node) this.body.insertBefore(row.node, this.body.children[i] ?? null);
    });
    for (const [key, row] of this.rows) if (!there.has(key)) { row.node.remove(); this.rows.delete(key); }
  }

  make(run) {
    const cells = Array.from({ length: 6 }, (_, i) => el('td', { class: i >= 2 && i !== 3 ? 'num' : 'text' }));
    const link = el('a', { class: 'run-name' });
    const dir = el('span', { class: 'quiet dir' });
    cells[0].append(link, dir);
    const node = el('tr', { on: { click: (e) => { if (e.target !== link) this.enter(run.run); } } }, cells);
    return { node, cells, link, dir };
  }

  paint({ cells, link, dir }, run) {
    link.href = `#${new URLSearchParams({ run: run.run })}`;
    say(link, line(run.name) || line(run.run));
    say(dir, run.why && (run.state === 'unreadable' || run.state === 'failed') ? line(run.why) : line(run.dir ?? ''));
    dir.title = dir.textContent;
    if (cells[1].dataset.state !== run.state) { cells[1].dataset.state = run.state; fill(cells[1], stateMark(run.state)); }
    const best = run.best ? num(run.best.value) : '–';
    say(cells[2], run.objective && run.best ? `${best}` : best);
    cells[2].title = run.objective ? `${json(run.objective.metric)} (${run.objective.mode})` : '';
    fill(cells[3], run.state === 'unreadable' ? '–' : counts(run, true));
    say(cells[4], duration(run.elapsed));
    say(cells[5], clock(run.began));
  }
}
