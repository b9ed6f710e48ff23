// States and counts as marks: a shape, a word, a bar.
import { el, STATUS, STATUS_KEYS } from './dom.js';
import { line, whole } from './format.js';

export const STATES = {
  running: 'Running', ending: 'Ending', completed: 'Completed', stopped: 'Stopped', drained: 'Drained', failed: 'Failed', cut_off: 'Cut off', unreadable: 'Unreadable',
};

export function stateMark(state) {
  return el('span', { class: `state state-${state in STATES ? state : 'other'}` }, el('i', { 'aria-hidden': 'true' }), el('span', { text: STATES[state] ?? line(state) }));
}

const CLASSES = ['pending', 'running', 'paused', 'done', 'failed'];

/** Counts by status as one bar; with numbers beside it. */
export function counts(run, brief = false) {
  const values = STATUS_KEYS.map((k) => run.counts?.[k] ?? 0);
  const all = values.reduce((a, b) => a + b, 0);
  const whole_ = Math.max(all, run.total ?? 0, 1);
  const bar = el('span', { class: 'counts-bar', 'aria-hidden': 'true' },
    [3, 4, 1, 2, 0].map((i) => values[i] > 0 && el('i', { class: CLASSES[i], vars: { '--part': String(values[i] / whole_) } })));
  const ended = values[3] + values[4];
  const text = `${whole(ended)} of ${run.total ? whole(run.total) : whole(all)}`;
  if (brief) return el('span', { class: 'counts brief', title: STATUS.map((s, i) => `${s} ${whole(values[i])}`).join(', ') }, bar, el('span', { class: 'num', text }));
  return el('div', { class: 'counts' }, bar, el('ul', {}, [1, 0, 2, 3, 4].map((i) => el('li', { class: values[i] === 0 ? 'zero' : undefined },
    el('span', { class: `mark ${CLASSES[i]}` }, el('i', { 'aria-hidden': 'true' })), el('span', { text: STATUS[i].toLowerCase() }), el('b', { class: 'num', text: whole(values[i]) })))));
}
