// Elements made in code. Texts are only ever set as text: names, configurations, errors and logs are hostile.

/** An element: `class`, `text`, `on` (listeners), `vars` (style through the CSSOM); other keys are attributes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'class') node.className = value;
    else if (key === 'text') node.textContent = value;
    else if (key === 'on') for (const [name, f] of Object.entries(value)) node.addEventListener(name, f);
    else if (key === 'vars') for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
    else if (key === 'value') node.value = value;
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  add(node, children);
  return node;
}

export function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

/** How long something took, for whoever measures; old times are forgotten, for a page may be open for weeks. */
export function took(name, start) {
  if (performance.getEntriesByName(name).length > 300) performance.clearMeasures(name);
  performance.measure(name, { start });
}

/** Puts children in the place of all that a node has. */
export function fill(node, ...children) {
  node.textContent = '';
  return add(node, children);
}

/** Sets a text only if it differs, so that nothing is laid out anew for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const SHAPES = ['pending', 'running', 'paused', 'done', 'failed'];
export const STATUS = ['Pending', 'Running', 'Paused', 'Terminated', 'Error'];
export const STATUS_KEYS = ['PENDING', 'RUNNING', 'PAUSED', 'TERMINATED', 'ERROR'];

/** A status as a shape and a word, so that no colour has to be told from another. */
export function statusMark(code, word = true) {
  return el('span', { class: `mark ${SHAPES[code] ?? ''}` }, el('i', { 'aria-hidden': 'true' }), word && el('span', { text: STATUS[code] ?? '?' }));
}

export function button(text, on, props = {}) {
  return el('button', { type: 'button', ...props, on: { click: on } }, text);
}

/** One of several choices, as buttons of which one is pressed. */
export function choice(label, options, now, on) {
  const buttons = options.map(([value, text]) => button(text, () => {
    for (const b of buttons) b.setAttribute('aria-pressed', String(b.dataset.value === String(value)));
    on(value);
  }, { 'aria-pressed': String(value === now), 'data-value': String(value) }));
  return el('div', { class: 'choice', role: 'group', 'aria-label': label }, buttons);
}

export function select(label, options, now, on, props = {}) {
  const box = el('select', { 'aria-label': label, ...props, on: { change: () => on(box.value) } },
    options.map(([value, text]) => el('option', { value, text })));
  box.value = now;
  return el('label', { class: 'pick' }, el('span', { text: label }), box);
}

export function toggle(label, now, on) {
  const box = el('input', { type: 'checkbox', on: { change: () => on(box.checked) } });
  box.checked = now;
  return el('label', { class: 'toggle' }, box, el('span', { text: label }));
}

/** What is shown where there is nothing: one sentence, and perhaps a second that helps. */
export function empty(text, hint) {
  return el('div', { class: 'empty' }, el('p', { text }), hint && el('p', { class: 'quiet', text: hint }));
}

export function loading() {
  return el('div', { class: 'empty loading', role: 'status' }, el('p', { text: 'Loading' }));
}

/** A plain table of values; of more than `most` rows the first, and it says so. */
export function plainTable(caption, columns, rows, { most = 500, pick, selected } = {}) {
  const body = rows.slice(0, most).map((row) => el('tr', {
    class: pick && selected !== null && pick(row) === selected ? 'is-selected' : undefined,
  }, columns.map((c) => {
    const value = c.get(row);
    return el('td', { class: c.text ? 'text' : 'num' }, value instanceof Node ? value : String(value));
  })));
  return el('div', { class: 'plain', tabindex: '0', role: 'region', 'aria-label': caption },
    el('table', {},
      el('caption', { text: rows.length > most ? `${caption}: the first ${most} of ${rows.length.toLocaleString('en')} rows` : caption }),
      el('thead', {}, el('tr', {}, columns.map((c) => el('th', { scope: 'col', class: c.text ? 'text' : 'num', text: c.label })))),
      el('tbody', {}, body)));
}
