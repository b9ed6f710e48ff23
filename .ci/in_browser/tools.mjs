// A browser, pages that notice every error, and checks that say what they saw.
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.resolve('target/browser/node_modules/'));
const { chromium } = require('playwright-core');

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--enable-precise-memory-info'];

export const open = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });

let checks = 0;

export function check(ok, what) {
  checks += 1;
  if (!ok) throw new Error(`browser: ${what}`);
}

export function same(found, wanted, what) {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

export const done = () => checks;

/** A context of its own: its pages share a session. */
export async function context(browser, { width = 1280, height = 860, dark = false, scale = 1 } = {}) {
  const it = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', deviceScaleFactor: scale, reducedMotion: 'reduce' });
  it.setDefaultTimeout(15000);
  // While the page is worked on: its files as they are in the tree, without a build.
  if (process.env.PAGE_FILES === 'tree') await it.route('**/assets/*', (route) => route.fulfill({ path: path.join('src/edge/web', new URL(route.request().url()).pathname) }));
  return it;
}

/** A page whose errors are kept; what is awaited is named by `allow`. */
export async function newPage(ctx) {
  const page = await ctx.newPage();
  page.troubles = [];
  // The tests read canvases back, the page doesn't.
  page.allowed = [/willReadFrequently/];
  page.allow = (pattern) => page.allowed.push(pattern);
  const trouble = (text) => { if (!page.allowed.some((p) => p.test(text))) page.troubles.push(text); };
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') trouble(`${m.text()} ${m.location().url}`); });
  page.on('pageerror', (e) => trouble(e.stack));
  page.on('dialog', (d) => { trouble(`a dialog: ${d.message()}`); d.dismiss(); });
  return page;
}

export function quiet(page, what) {
  same(page.troubles, [], `no error in the console (${what})`);
}

/** Opens a run by its name, through the list of runs. */
export async function openRun(page, name) {
  await page.evaluate(async (wanted) => {
    const { runs } = await (await fetch('api/runs')).json();
    location.hash = `run=${encodeURIComponent(runs.find((r) => r.name === wanted).run)}`;
  }, name);
  await page.waitForFunction((n) => document.querySelector('.run-head h1')?.textContent === n, name);
  await page.waitForSelector('.grid-row:not([hidden])');
}

export const text = (page, selector) => page.locator(selector).first().textContent();

/** Filters, selects the first row, and waits until all of its trial is there. Returns its number. */
export async function choose(page, filter) {
  await page.fill('.filter input', filter);
  await page.waitForFunction((f) => (f === '' ? !location.hash.includes('filter=') : location.hash.includes(new URLSearchParams({ filter: f }))), filter);
  const row = page.locator('.grid-row:not([hidden])[aria-rowindex="2"]');
  const number = await row.locator('div').first().textContent();
  await row.click();
  await page.waitForFunction((n) => document.querySelector('.trial h2').textContent === `Trial ${n}` && document.querySelector('.trial-body:not([hidden])') !== null, number);
  return number;
}

export async function view(page, name) {
  await page.click(`[role=tab][data-view=${name}]`);
  await page.waitForSelector(`[role=tab][data-view=${name}][aria-selected=true]`);
}

/** Waits until a canvas shows something. */
export async function drawn(page, selector) {
  await page.waitForSelector(selector);
  await page.waitForFunction((s) => {
    const canvas = document.querySelector(s);
    if (!canvas || canvas.width === 0) return false;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let seen = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) seen += 1;
    return seen > 200;
  }, selector);
}

/** What has no name for those who don't see it, and what is wider than the window. */
export async function sound(page, what) {
  const found = await page.evaluate(() => {
    const seen = (n) => n.offsetParent !== null || n === document.activeElement;
    const unnamed = [...document.querySelectorAll('button, input, select, textarea, canvas[tabindex], [role=grid], [role=img], summary')].filter((n) => seen(n)
      && !(n.getAttribute('aria-label') || n.textContent.trim() || n.title || (n.labels && [...n.labels].some((l) => l.textContent.trim()))));
    const ids = [...document.querySelectorAll('[id]')].map((n) => n.id);
    return {
      unnamed: unnamed.map((n) => n.outerHTML.slice(0, 120)),
      twice: ids.filter((id, i) => ids.indexOf(id) !== i),
      wide: document.documentElement.scrollWidth - innerWidth,
    };
  });
  same(found.unnamed, [], `everything has a name (${what})`);
  same(found.twice, [], `every id is there once (${what})`);
  check(found.wide <= 0, `nothing is wider than the window (${what}): ${found.wide} px`);
}
