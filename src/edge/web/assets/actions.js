// Every action of the control API: what it is called, what it will do, and the request that does it.
import { button, el, fill } from './dom.js';
import { post, runPath } from './api.js';
import { duration, line, num, whole } from './format.js';
import { ask, nested, number, resources, rules, value } from './forms.js';

/** Why nothing can be done to this run from here; empty if it can. */
export function forbidden(app) {
  if (app.session?.role !== 'control') return 'This link only lets you watch. A link with control is printed where the server was started.';
  if (!app.header?.live) return 'This run isn’t live: what it did is here, and nothing can be changed. It can be gone on with by “tryout run FILE --resume”.';
  return '';
}

const send = (app, request) => post(runPath(app.key, '/request'), request);
const order = (app, body) => send(app, { order: body });

async function perform(app, said, options) {
  const answer = await ask(options);
  if (answer !== null) {
    fill(said, el('span', { class: 'num quiet', text: new Date().toLocaleTimeString('en-GB') }), ` ${answer}`);
  }
}

const TRIAL = {
  pause: (app, n) => ({
    title: `Pause trial ${n}?`, confirm: 'Pause',
    says: 'It is saved after its current step, gives its resources back, and stays paused until it is unpaused.',
    act: async () => { await order(app, { pause: n }); return `Trial ${n} will pause after its step.`; },
  }),
  unpause: (app, n) => ({
    title: `Unpause trial ${n}?`, confirm: 'Unpause',
    says: 'It joins the line for resources, and goes on from its last checkpoint as soon as there is room.',
    act: async () => { await order(app, { resume: n }); return `Trial ${n} will go on.`; },
  }),
  save: (app, n) => ({
    title: `Save trial ${n}?`, confirm: 'Save',
    says: 'A checkpoint is written after its current step; the trial goes on.',
    act: async () => { await order(app, { save: n }); return `Trial ${n} will be saved after its step.`; },
  }),
  retry: (app, n) => ({
    title: `Try trial ${n} again?`, confirm: 'Try again',
    says: 'It joins the line once more, from its last checkpoint if there is one, else from the beginning. What it has reported stays.',
    act: async () => { await order(app, { revive: n }); return `Trial ${n} is tried again.`; },
  }),
  priority: (app, n, detail) => ({
    title: `Priority of trial ${n}`, confirm: 'Set priority',
    fields: [{ name: 'priority', label: 'Priority', kind: 'number', value: detail.priority ?? 0, hint: 'Trials with a greater one are served first; 0 is what all begin with.' }],
    says: 'Where it stands in the line for resources changes at once. A trial that runs isn’t interrupted.',
    act: async (v) => { const p = number(v.priority, 'The priority', { whole: true }); await order(app, { prioritise: [n, p] }); return `Trial ${n} has priority ${p}.`; },
  }),
  resources: (app, n, detail) => ({
    title: `Resources of trial ${n}`, confirm: 'Set resources',
    fields: [{ name: 'needs', label: 'It needs', value: detail.request ?? 'cpu 1', hint: 'Such as “cpu 2, gpu 0.5”, or JSON.' }],
    says: 'If it runs, it is saved after its step and starts again with what it then needs.',
    act: async (v) => { await order(app, { request: [n, resources(v.needs)] }); return `Trial ${n} needs ${v.needs}.`; },
  }),
  stop: (app, n) => ({
    title: `Stop trial ${n}?`, confirm: 'Stop trial', danger: true,
    says: 'It ends after its current step and isn’t tried again. What it has reported stays, and its place is free for another.',
    act: async () => { await order(app, { stop: n }); return `Trial ${n} will stop.`; },
  }),
};

const NAMES = { pause: 'Pause', unpause: 'Unpause', save: 'Save', retry: 'Try again', priority: 'Priority', resources: 'Resources', stop: 'Stop' };

/** Why an action doesn't fit a trial's status. */
function unfit(name, status) {
  const over = status === 'TERMINATED' || status === 'ERROR';
  if (name === 'retry') return over ? '' : 'Only a trial that has ended can be tried again.';
  if (over) return 'The trial has ended.';
  if (name === 'pause') return status === 'PAUSED' ? 'It is paused.' : '';
  if (name === 'unpause') return status === 'PAUSED' ? '' : 'It isn’t paused.';
  if (name === 'save') return status === 'RUNNING' ? '' : 'Only a trial that runs can be saved.';
  return '';
}

function guarded(node, why) {
  node.disabled = why !== '';
  node.title = why;
}

/** Buttons of one trial. `update(detail)` says which of them fit. */
export function trialActions(app, said) {
  let detail = null;
  const reason = el('p', { class: 'quiet reason' });
  const buttons = Object.keys(NAMES).map((name) => [name, button(NAMES[name], () => perform(app, said, TRIAL[name](app, detail.number, detail)), { class: name === 'stop' ? 'danger' : undefined, 'data-action': name })]);
  const group = el('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions on this trial' }, buttons.map(([, b]) => b));
  return {
    node: el('div', { class: 'trial-actions' }, group, reason),
    update(next) {
      detail = next;
      const why = forbidden(app);
      reason.textContent = why;
      group.hidden = why !== '';
      for (const [name, b] of buttons) guarded(b, why || unfit(name, detail.status));
    },
  };
}

/** A trial that begins from a checkpoint of another one. */
export function fromCheckpoint(app, said, detail, index) {
  const act = () => perform(app, said, {
    title: `New trial from trial ${detail.number}`, confirm: 'Add',
    fields: [{ name: 'config', label: 'Configuration', kind: 'text-long', value: JSON.stringify(detail.config, null, 1), hint: 'As JSON.' }],
    says: `One more trial joins the line. It begins with what checkpoint ${index} of trial ${detail.number} holds, and this configuration.`,
    act: async (v) => {
      let config;
      try { config = JSON.parse(v.config); } catch { throw new Error('The configuration isn’t valid JSON.'); }
      const answer = await send(app, { add_from: { config, checkpoint: { trial: detail.number, index } } });
      return answer?.done?.trial ? `Added as ${line(answer.done.trial)}.` : 'Added.';
    },
  });
  const node = button('New trial from it', act, { class: 'link', 'data-action': 'add-from' });
  guarded(node, forbidden(app));
  return node;
}

const shown = (p) => (p.kind === 'choice' ? (p.options ?? []).map((o) => (typeof o === 'string' ? o : JSON.stringify(o))) : []);

/** The form of a new trial: a value for each parameter, those of the selected or best trial to begin with. */
function addTrial(app) {
  const { trials, header } = app;
  const from = app.selected ?? header.best?.number ?? null;
  const row = from === null || !trials ? -1 : trials.rowOf(from);
  const all = header.parameters ?? [];
  const list = all.filter((p) => p.kind !== 'fixed');
  const fixed = all.filter((p) => p.kind === 'fixed' && p.options?.length === 1).map((p) => [p.name, p.options[0]]);
  const now = (p) => {
    const column = row < 0 ? null : trials.get(`p:${p.name}`);
    if (!column) return p.low ?? shown(p)[0] ?? '';
    return column.words ? column.text(row) : Number.isNaN(column.data[row]) ? '' : String(column.data[row]);
  };
  const fields = list.map((p, i) => ({
    name: `p${i}`, label: line(p.name), value: now(p), kind: p.kind === 'choice' && p.options?.length ? 'select' : p.kind === 'float' || p.kind === 'int' ? 'number' : 'text',
    options: shown(p).map((o) => [o, line(o)]), hint: p.kind === 'float' || p.kind === 'int' ? `${num(p.low)} to ${num(p.high)}${p.log ? ', logarithmic' : ''}` : undefined,
  }));
  if (fields.length === 0) fields.push({ name: 'config', label: 'Configuration', kind: 'text-long', value: JSON.stringify(nested(fixed)), hint: 'As JSON.' });
  return {
    title: 'Add a trial', confirm: 'Add', fields,
    says: `One more trial with this configuration joins the line.${from === null ? '' : ` The values are those of trial ${from}.`}`,
    act: async (v) => {
      const read = (p, t) => {
        if (p.kind === 'choice') return (p.options ?? [])[shown(p).indexOf(t)] ?? value(t);
        return p.kind === 'float' || p.kind === 'int' ? number(t, line(p.name), { whole: p.kind === 'int' }) : value(t);
      };
      const config = list.length === 0 ? value(v.config) : nested([...list.map((p, i) => [p.name, read(p, v[`p${i}`])]), ...fixed]);
      const answer = await order(app, { add: config });
      return answer?.done?.trial ? `Added as ${line(answer.done.trial)}.` : 'Added.';
    },
  };
}

/** The form that changes what one parameter may be from now on. */
function space(app) {
  const list = (app.header.parameters ?? []).filter((p) => ['float', 'int', 'choice'].includes(p.kind));
  if (list.length === 0) return { title: 'Change the space', confirm: 'Change', says: 'This run has no parameter that can be changed.', act: async () => 'Nothing to change.' };
  const text = (p) => (p.kind === 'choice' ? JSON.stringify(p.options ?? []) : `${p.low} to ${p.high}`);
  const domain = (v) => {
    const p = list[Number(v.parameter)];
    if (p.kind === 'choice') {
      const options = value(v.bounds);
      if (!Array.isArray(options) || options.length === 0) throw new Error('The options are a list, such as ["relu", "gelu"].');
      return [p, { choice: options }, `one of ${line(JSON.stringify(options).slice(1, -1))}`];
    }
    const whole = p.kind === 'int';
    const [a, b] = v.bounds.split(/[\s,;]+|\bto\b/).filter(Boolean).map((t) => number(t, 'A bound', { whole }));
    if (b === undefined || !(whole ? a <= b : a < b)) throw new Error('Two bounds are needed, the lower one first.');
    // A space says of whole numbers which one comes after the last.
    return [p, { [(p.log ? 'log_' : '') + (whole ? 'int' : 'uniform')]: [a, whole ? b + 1 : b] }, `from ${num(a)} to ${num(b)}`];
  };
  return {
    title: 'Change the space', confirm: 'Change',
    fields: [
      { name: 'parameter', label: 'Parameter', kind: 'select', options: list.map((p, i) => [String(i), line(p.name)]), value: '0' },
      { name: 'bounds', label: 'May be', value: text(list[0]), hint: 'The least and the greatest value, or a list of options in JSON.' },
    ],
    changed: (name, inputs) => { if (name === 'parameter') inputs.bounds.value = text(list[Number(inputs.parameter.value)]); },
    says: (v) => {
      let what = '';
      try { const [p, , words] = domain(v); what = ` ${line(p.name)} will be ${words}.`; } catch (e) { what = ` ${e.message}`; }
      return `Holds for what is suggested from now on. Suggestions that haven’t begun and lie outside are withdrawn, others are drawn in their places; what was tried stays.${what}`;
    },
    act: async (v) => { const [p, d] = domain(v); await order(app, { set_space: { changes: nested([[p.name, d]]) } }); return `The space of ${line(p.name)} is changed.`; },
  };
}

const RUN = {
  add: (app) => addTrial(app),
  concurrency: (app) => ({
    title: 'Concurrency', confirm: 'Set', fields: [{ name: 'n', label: 'Trials at once, at most', kind: 'number', value: app.header.budget?.concurrency ?? '' }],
    says: 'More trials start at once if there are resources. With fewer, those that run go on, and no others start until there is room.',
    act: async (v) => { const n = number(v.n, 'The concurrency', { least: 1, whole: true }); await order(app, { concurrency: n }); return `At most ${n} trials run at once.`; },
  }),
  samples: (app) => ({
    title: 'Samples', confirm: 'Set', fields: [{ name: 'n', label: 'Samples', value: app.header.budget?.samples ?? 'infinite', hint: 'A number, “infinite”, or nothing for what the program says.' }],
    says: 'With more, the searcher suggests further trials. With fewer, trials that haven’t begun are withdrawn, the newest first.',
    act: async (v) => {
      const samples = v.n === '' ? null : v.n === 'infinite' ? 'infinite' : number(v.n, 'The number of samples', { least: 0, whole: true });
      await order(app, { set: { setting: { samples } } });
      return `Samples: ${samples ?? 'as the program says'}.`;
    },
  }),
  time: (app) => ({
    title: 'Time limit', confirm: 'Set',
    fields: [
      { name: 'after', label: 'Of the whole run', value: app.header.budget?.time_limit ? duration(app.header.budget.time_limit).replace(/ (?=[a-z])/g, '').replace(/min/g, 'm') : '', hint: 'Such as “8h” or “1h 30m”; nothing for no limit.' },
      { name: 'then', label: 'Then', kind: 'select', options: [['finish_step', 'finish the step'], ['save_then_stop', 'save, then stop'], ['kill', 'kill']], value: 'finish_step' },
    ],
    says: (v) => (v.after === '' ? 'The run has no time limit from now on.' : `The run ends ${v.after} after its start, over all its sessions. If that has passed, it ends now.`),
    act: async (v) => { await order(app, { set: { setting: { time_limit: v.after === '' ? null : { after: v.after, then: v.then } } } }); return v.after === '' ? 'No time limit.' : `Time limit: ${v.after}.`; },
  }),
  rules: (app) => ({
    title: 'Stop rules', confirm: 'Set',
    fields: [{ name: 'rules', label: 'Rules', kind: 'text-long', value: app.header.budget?.stop ? JSON.stringify(app.header.budget.stop, null, 1) : '', hint: 'A list in JSON, such as [{"iterations": {"limit": 50}}]; [] for none, and nothing for those of the program.' }],
    says: (v) => {
      let what;
      try { const list = rules(v.rules); what = list === null ? 'Those of the program hold.' : list.length === 0 ? 'No rule holds.' : `${list.map((r) => line(Object.keys(r)[0])).join(', ')} ${list.length === 1 ? 'holds' : 'hold'}, in place of all others.`; } catch (e) { what = e.message; }
      return `From now on, at each trial’s next report. What a new rule remembers begins anew. ${what}`;
    },
    act: async (v) => { const stop = rules(v.rules); await order(app, { set: { setting: { stop } } }); return stop === null ? 'The stop rules are those of the program.' : `The stop rules are changed: ${stop.length} now.`; },
  }),
  space: (app) => space(app),
  staged: (app) => ({
    title: 'Staged trials', confirm: 'Set', fields: [{ name: 'n', label: 'Trials that wait ahead of workers', kind: 'number', value: '' }],
    says: 'So many suggestions are made before there is room for them. More keep workers busy; fewer let the searcher know more when it suggests.',
    act: async (v) => { const n = number(v.n, 'The number', { least: 0, whole: true }); await order(app, { staged: n }); return `${whole(n)} wait ahead.`; },
  }),
  machine: (app) => ({
    title: 'Resources of the run', confirm: 'Set', fields: [{ name: 'has', label: 'There is', value: app.header.pool?.total ?? '', hint: 'Such as “cpu 4, gpu 2”, or JSON.' }],
    says: 'What trials may use in all from now on. Those that run keep what they have until they end.',
    act: async (v) => { await order(app, { resources: resources(v.has) }); return `Resources: ${v.has}.`; },
  }),
  proceed: (app) => ({
    title: 'Proceed?', confirm: 'Proceed', says: 'A run that is held because of the same error on several workers goes on. If the error comes again, it is held again.',
    act: async () => { await order(app, 'proceed'); return 'It goes on.'; },
  }),
  drain: (app) => ({
    title: 'Drain the run?', confirm: 'Drain', danger: true, fields: [{ name: 's', label: 'Within seconds', kind: 'number', value: '30' }],
    says: (v) => `All trials are saved and paused, and the run ends; it can be resumed. What isn’t saved within ${v.s || '…'} s goes on from its last checkpoint then.`,
    act: async (v) => { await send(app, { drain: { within_s: number(v.s, 'The time', { least: 0 }) } }); return 'The run drains.'; },
  }),
  stop: (app) => ({
    title: 'Stop the run?', confirm: 'Stop the run', danger: true,
    says: `All trials end (${whole(app.header.counts?.RUNNING ?? 0)} run now), and no others start. What was reported stays.`,
    act: async () => { await order(app, 'stop_all'); return 'The run stops.'; },
  }),
};

const RUN_NAMES = {
  add: 'Add trial', concurrency: 'Concurrency', samples: 'Samples', time: 'Time limit', rules: 'Stop rules', space: 'Space', staged: 'Staged trials', machine: 'Resources', proceed: 'Proceed', drain: 'Drain', stop: 'Stop run',
};

/** Buttons of the run: few that are seen, the others in a menu. */
export function runActions(app, said) {
  const make = (name, props = {}) => [name, button(RUN_NAMES[name], () => { menu.open = false; perform(app, said, RUN[name](app)); }, { 'data-action': name, ...props })];
  const inMenu = ['concurrency', 'samples', 'time', 'rules', 'space', 'staged', 'machine', 'proceed'].map((n) => make(n));
  const outside = [make('add'), make('drain'), make('stop', { class: 'danger' })];
  const menu = el('details', { class: 'menu end' }, el('summary', { text: 'Change' }), el('div', { class: 'popover list' }, inMenu.map(([, b]) => b)));
  const reason = el('p', { class: 'quiet reason' });
  const group = el('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions on the run' }, outside[0][1], menu, outside[1][1], outside[2][1]);
  return {
    node: el('div', { class: 'run-actions' }, group, reason),
    update() {
      const why = forbidden(app);
      reason.textContent = why === '' ? '' : app.session?.role !== 'control' ? 'Watching only' : 'Read-only: not live';
      reason.title = why;
      group.hidden = why !== '';
      for (const [, b] of [...inMenu, ...outside]) guarded(b, why);
    },
  };
}
