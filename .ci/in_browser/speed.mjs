// How long 50,000 trials take, with targets for two cores and drawing without a GPU.
import fs from 'node:fs';
import { check, quiet } from './tools.mjs';

const LIMITS = { first: 1000, sort: 300, filter: 300, update: 50, memory: 150 };
const UNITS = { first: 'ms to the first rows', sort: 'ms a sort', filter: 'ms a filter', update: 'ms a change', memory: 'MB of the tab’s own' };

const last = (page, name) => page.evaluate((n) => performance.getEntriesByName(n).at(-1)?.duration ?? NaN, name);
const painted = (page) => page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));

/** The private memory of the process that has the page, in MB. */
async function memory(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter((p) => p.type === 'renderer').map((p) => {
    const kb = fs.readFileSync(`/proc/${p.id}/smaps_rollup`, 'utf8').matchAll(/^Private_\w+:\s+(\d+) kB$/gm);
    return [...kb].reduce((sum, m) => sum + Number(m[1]), 0) / 1000;
  });
  await session.detach();
  return Math.max(...renderers);
}

/** A change of two hundred trials, as the tab that holds the stream would pass it on. */
async function change(page) {
  const before = await page.evaluate(() => performance.getEntriesByName('tryout:update').length);
  await page.evaluate(async () => {
    const [run] = (await (await fetch('api/runs')).json()).runs;
    const header = await (await fetch(`api/runs/${encodeURIComponent(run.run)}`)).json();
    header.position += 1 + performance.getEntriesByName('tryout:update').length;
    const number = Array.from({ length: 200 }, (_, i) => i * 240);
    const all = (v) => number.map(() => v);
    const trials = { number, status: all(1), iteration: all(7), value: number.map((n) => n / 7), best_value: all(0.5), started: all(1), ended: all(null), attempts: all(1), failures: all(0), priority: all(0), why: all(null), words: [], parameters: {}, metrics: {} };
    new BroadcastChannel(`tryout:${location.pathname}`).postMessage({ kind: 'change', data: { run: run.run, position: header.position, header, trials } });
  });
  await page.waitForFunction((n) => performance.getEntriesByName('tryout:update').length > n, before);
  return last(page, 'tryout:update');
}

export async function speed(browser, page, link, many = 50000) {
  const times = { sort: 0, filter: 0, update: 0 };
  await page.goto(link);
  await page.waitForSelector('.grid-row:not([hidden])');
  // The server has read the run by now: this is the page as somebody meets it who comes back.
  const firsts = [];
  for (let i = 0; i < 3; i += 1) {
    await page.reload();
    await page.waitForSelector('.grid-row:not([hidden])');
    firsts.push(await page.evaluate(() => performance.now()));
  }
  times.first = firsts.sort((a, b) => a - b)[1];
  const says = await page.textContent('.filter-says');
  check(says === `${many.toLocaleString('en')} trials`, `all are there: ${says}`);
  const keys = await page.locator('.grid-head button').evaluateAll((all) => all.map((b) => b.dataset.key));
  for (const key of keys.filter((k) => k !== 'why').slice(0, 7)) {
    await page.click(`.grid-head button[data-key="${key}"]`);
    await painted(page);
    times.sort = Math.max(times.sort, await last(page, 'tryout:sort'));
  }
  for (const filter of ['number < 20000 and loss > 0', 'terminated', 'not number > 25000', '']) {
    const before = await page.evaluate(() => performance.getEntriesByName('tryout:filter').length);
    await page.fill('.filter input', filter);
    await page.waitForFunction((n) => performance.getEntriesByName('tryout:filter').length > n, before);
    times.filter = Math.max(times.filter, await last(page, 'tryout:filter'));
  }
  for (let i = 0; i < 5; i += 1) times.update = Math.max(times.update, await change(page));
  times.memory = await memory(browser);
  quiet(page, 'speed');
  return times;
}

/** One line for each time; an error if one is too long and `strict`. */
export function judge(times, strict) {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const found = Math.round(times[name]);
    console.log(`  50,000 trials: ${found} ${UNITS[name]} (at most ${limit})`);
    check(!strict || found <= limit, `50,000 trials take ${found} ${UNITS[name]}, at most ${limit} are promised`);
  }
}
