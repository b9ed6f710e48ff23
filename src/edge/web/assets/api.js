// Requests to the server. Every path is relative to where the page is mounted.

/** What the server refused or couldn't do, in its words. */
export class Refusal extends Error {
  constructor(status, code, why) {
    super(why);
    this.status = status;
    this.code = code;
  }
}

/** Told of requests that need a session and had none. */
export const session = new EventTarget();

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Refusal(0, 'unreachable', 'The server can’t be reached.');
  }
  const text = await answer.text();
  let value = null;
  try {
    value = text === '' ? null : JSON.parse(text);
  } catch {
    throw new Refusal(answer.status, 'malformed', `The server’s answer to ${path} isn’t JSON (status ${answer.status}).`);
  }
  if (answer.ok) return value;
  if (answer.status === 401) session.dispatchEvent(new Event('lost'));
  throw new Refusal(answer.status, value?.error?.code ?? value?.refused?.code ?? 'unavailable',
    value?.error?.why ?? value?.refused?.why ?? `The server answers with status ${answer.status}.`);
}

export const get = (path, signal) => ask(path, { signal });

export const post = (path, body) => ask(path, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'X-Tryout': '1' },
  body: JSON.stringify(body),
});

export const runPath = (key, rest = '') => `api/runs/${encodeURIComponent(key)}${rest}`;

/** The code out of the address, which is gone from the history before anything else happens. */
export function takeCode() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const code = parts.get('code');
  if (code === null) return null;
  parts.delete('code');
  const rest = parts.toString();
  history.replaceState(null, '', location.pathname + location.search + (rest ? `#${rest}` : ''));
  return code;
}

/** The session of this browser: made of a code if there is one. */
export async function begin(code) {
  if (code !== null) {
    try {
      await post('api/session', { code });
    } catch (e) {
      // A code that is used up does no harm where there is a session already.
      if (e.status !== 401) throw e;
    }
  }
  return get('api/session');
}
