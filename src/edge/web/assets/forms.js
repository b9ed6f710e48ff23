// A dialog that says what will happen before it does, and what came of it where it was asked.
import { button, el, fill } from './dom.js';
import { line } from './format.js';

/** One field of a form: `{name, label, kind, value, hint, options}`. */
function field(f) {
  const id = `f-${f.name}`;
  const common = { id, name: f.name, 'aria-describedby': f.hint ? `${id}-hint` : undefined, autocomplete: 'off', spellcheck: 'false' };
  let input;
  if (f.kind === 'select') input = el('select', common, f.options.map(([value, text]) => el('option', { value, text })));
  else if (f.kind === 'text-long') input = el('textarea', { ...common, rows: '4' });
  else input = el('input', { ...common, type: 'text', inputmode: f.kind === 'number' ? 'decimal' : undefined });
  if (f.value !== undefined && f.value !== null) input.value = String(f.value);
  return { f, input, node: el('div', { class: 'field' }, el('label', { for: id, text: f.label }), input, f.hint && el('p', { id: `${id}-hint`, class: 'hint', text: f.hint })) };
}

/**
 * Asks, and acts. `says` is a text or a function of the values; `act(values)` returns what to say when it is done, and may throw.
 * Resolves to what was said, or to null if it was called off.
 */
export function ask({ title, says, fields = [], confirm, danger, act, changed }) {
  return new Promise((resolve) => {
    const parts = fields.map(field);
    const text = el('p', { class: 'says', id: 'dialog-says' });
    const trouble = el('p', { class: 'trouble', role: 'alert' });
    const go = el('button', { type: 'submit', class: danger ? 'danger' : 'primary', text: confirm });
    const off = button('Cancel', () => box.close(), {});
    const form = el('form', { method: 'dialog', novalidate: true }, el('h2', { id: 'dialog-title', text: title }), text, parts.map((p) => p.node), trouble, el('div', { class: 'dialog-end' }, off, go));
    const box = el('dialog', { 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-says' }, form);
    const values = () => Object.fromEntries(parts.map((p) => [p.f.name, p.input.value.trim()]));
    const tell = () => {
      let words;
      try { words = typeof says === 'function' ? says(values()) : says; } catch (e) { words = e.message; }
      if (text.textContent !== words) text.textContent = words;
    };
    let said = null;
    form.addEventListener('input', (e) => { changed?.(e.target.name, Object.fromEntries(parts.map((p) => [p.f.name, p.input]))); tell(); });
    form.addEventListener('submit', async (e) => {
      e.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      form.classList.add('busy');
      fill(trouble);
      try {
        said = await act(values());
        box.close();
      } catch (err) {
        fill(trouble, el('strong', { text: err.status ? 'Refused: ' : 'Not sent: ' }), line(err.message));
      }
      go.disabled = false;
      form.classList.remove('busy');
    });
    box.addEventListener('close', () => { box.remove(); resolve(said); });
    document.body.append(box);
    tell();
    box.showModal();
    (parts[0]?.input ?? (danger ? off : go)).focus();
    if (parts[0]?.input.tagName === 'INPUT') parts[0].input.select();
  });
}

/** A number out of a field, or an error in words. */
export function number(text, what, { least = -Infinity, whole = false } = {}) {
  const v = Number(text.replace('−', '-'));
  if (text === '' || Number.isNaN(v)) throw new Error(`${what} must be a number.`);
  if (whole && !Number.isInteger(v)) throw new Error(`${what} must be a whole number.`);
  if (v < least) throw new Error(`${what} must be at least ${least}.`);
  return v;
}

/** `cpu 2, gpu 0.5` or JSON, as the resources of a request. */
export function resources(text) {
  if (/^[[{]/.test(text)) {
    try { return JSON.parse(text); } catch { throw new Error('This isn’t valid JSON.'); }
  }
  const out = {};
  // As it is shown: `gpu 2 (0, 1)` names the GPUs.
  const rest = text.replace(/([^\s,;]+)\s+[\d.]+\s*\(([\d,\s]+)\)/g, (_, name, list) => {
    out[name] = list.split(',').map(Number);
    return '';
  });
  for (const part of rest.split(/[,;]+/).map((p) => p.trim()).filter(Boolean)) {
    const m = /^([^\s=:]+)\s*[\s=:]\s*([\d.]+)$/.exec(part);
    if (!m) throw new Error(`“${part}” isn’t a name and a number, such as “cpu 2”.`);
    out[m[1]] = Number(m[2]);
  }
  if (Object.keys(out).length === 0) throw new Error('Name at least one resource, such as “cpu 2”.');
  return out;
}

/** Stop rules as in a file: a list, or null for those of the program. */
export function rules(text) {
  if (text === '') return null;
  let list;
  try { list = JSON.parse(text); } catch { throw new Error('This isn’t valid JSON.'); }
  const isRule = (r) => typeof r === 'object' && r !== null && !Array.isArray(r) && Object.keys(r).length === 1;
  if (!Array.isArray(list) || !list.every(isRule)) throw new Error('The rules are a list of names with settings, such as [{"iterations": {"limit": 50}}].');
  return list;
}

/** A value as a person writes it: JSON where it is, else a text. */
export function value(text) {
  try { return JSON.parse(text); } catch { return text; }
}

/** Names of which each `/` begins a further level, as levels of a map. */
export function nested(pairs) {
  const out = {};
  for (const [name, v] of pairs) {
    const path = name.split('/');
    let at = out;
    for (const step of path.slice(0, -1)) {
      if (!Object.hasOwn(at, step)) Object.defineProperty(at, step, { value: {}, enumerable: true, configurable: true, writable: true });
      at = at[step];
    }
    Object.defineProperty(at, path.at(-1), { value: v, enumerable: true, configurable: true, writable: true });
  }
  return out;
}
