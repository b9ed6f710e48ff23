// Every view of finished runs, by mouse and by keyboard.
import { check, choose, drawn, openRun, quiet, same, sound, text, view } from './tools.mjs';

const OWN_CANVAS = { history: '.plot canvas', workers: '.plot canvas', parallel: '.plot canvas', slice: '.slices canvas', rungs: '.plot canvas', pareto: '.plot canvas', lineage: '.plot canvas' };

/** A view draws, has a table beside it, and comes back. */
async function oneView(page, name) {
  await view(page, name);
  if (OWN_CANVAS[name]) await drawn(page, OWN_CANVAS[name]);
  else if (name === 'curves') await drawn(page, '.uplot canvas');
  else await page.waitForSelector(name === 'decisions' ? '.log tbody tr' : '.grid-row:not([hidden])');
  await sound(page, name);
  if (name === 'trials' || name === 'decisions') return;
  await page.getByRole('checkbox', { name: 'As a table' }).check();
  await page.waitForSelector('.sheet tbody tr');
  check(await page.locator('.sheet tbody tr').count() > 0, `${name} has rows in its table`);
  await page.getByRole('checkbox', { name: 'As a table' }).uncheck();
}

export async function views(page) {
  await openRun(page, 'digits');
  same(await page.locator('[role=tab]').allTextContents(), ['Trials', 'History', 'Curves', 'Workers', 'Parallel', 'Importance', 'Rungs', 'Decisions'], 'views of a run with rungs');
  for (const name of ['history', 'curves', 'workers', 'parallel', 'slice', 'rungs', 'decisions', 'trials']) await oneView(page, name);
  check((await text(page, '.run-actions .reason')).includes('not live'), 'a finished run says that it isn’t live');
  check(!(await page.locator('.run-actions .buttons').isVisible()), 'a finished run has no buttons');

  // What is selected in one view is selected in all, and in the address.
  await page.locator('.grid-row').nth(3).click();
  const number = await page.locator('.grid-row[aria-selected=true] > div').first().textContent();
  await page.waitForFunction((n) => document.querySelector('.trial h2').textContent === `Trial ${n}`, number);
  check(page.url().includes(`trial=${number}`), 'the address names the trial');
  await view(page, 'history');
  await drawn(page, '.plot canvas.over').catch(() => {});
  await page.reload();
  await page.waitForFunction((n) => document.querySelector('.trial h2')?.textContent === `Trial ${n}`, number);
  await page.waitForSelector('[role=tab][data-view=history][aria-selected=true]');
  // A point of a plot is picked with the mouse.
  await drawn(page, '.plot canvas');
  const box = await page.locator('.plot canvas').first().boundingBox();
  for (let x = 80; x < box.width - 30 && !(await page.locator('.plot canvas.hits').count()); x += 7) for (let y = 30; y < box.height - 50; y += 12) {
    await page.mouse.move(box.x + x, box.y + y);
    if (await page.locator('.plot canvas.hits').count()) break;
  }
  check(await page.locator('.tip:visible').count() === 1, 'a point says what it is');
  await page.mouse.down();
  await page.mouse.up();
  await page.waitForFunction((n) => document.querySelector('.trial h2').textContent === `Trial ${n}`, (await text(page, '.tip')).match(/^Trial (\d+)/)[1]);

  await trial(page);
  await openRun(page, 'population');
  await oneView(page, 'lineage');
  await openRun(page, 'front');
  await oneView(page, 'pareto');
  quiet(page, 'views');
}

/** All of one trial. */
async function trial(page) {
  await view(page, 'trials');
  await choose(page, 'iteration >= 27');
  await page.waitForFunction(() => document.querySelector('.trial-body:not([hidden]) .output')?.textContent.includes('step 1:'));
  const sections = await page.locator('.trial section:not([hidden]) h3').allTextContents();
  for (const wanted of ['Curves', 'Configuration', 'Last report', 'Output', 'Decisions', 'Checkpoints']) check(sections.includes(wanted), `a trial shows ${wanted}: ${sections}`);
  check((await text(page, '.trial .facts')).includes('Iteration27'), 'a trial says how far it came');
  check((await page.locator('.trial dl.facts').allTextContents()).some((t) => t.includes('model/depth')), 'a configuration has its levels');
  await drawn(page, '.trial .uplot canvas');
  await page.getByRole('button', { name: 'Full width' }).click();
  await page.waitForSelector('.work.trial-only');
  await page.getByRole('button', { name: 'Beside the table' }).click();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.waitForSelector('.trial', { state: 'hidden' });
  await page.fill('.filter input', '');
}

/** Sorting, filters and columns. */
export async function table(page) {
  await openRun(page, 'digits');
  const column = async (label) => {
    const at = (await page.locator('.grid-head button').allTextContents()).indexOf(label);
    const rows = page.locator('.grid-row:not([hidden])');
    return (await rows.evaluateAll((all, i) => all.map((r) => [Number(r.getAttribute('aria-rowindex')), r.children[i].textContent]), at)).sort((a, b) => a[0] - b[0]).map(([, t]) => t);
  };
  const count = async (filter, wanted) => {
    await page.fill('.filter input', filter);
    await page.waitForFunction((f) => document.querySelector('.filter-says').textContent !== '' && location.hash.includes(new URLSearchParams({ filter: f })), filter);
    check(wanted.test(await text(page, '.filter-says')), `“${filter}” says ${await text(page, '.filter-says')}`);
  };
  await page.click('.grid-head button[data-key="number"]');
  same((await column('Trial')).slice(0, 3), ['0', '1', '2'], 'sorted by number');
  await page.click('.grid-head button[data-key="number"]');
  same((await column('Trial')).slice(0, 3), ['59', '58', '57'], 'sorted the other way');
  check(await page.locator('[aria-sort=descending]').count() === 1, 'the order is said');
  await count('act = gelu', /^\d+ of 60$/);
  check((await column('act')).every((t) => t === 'gelu'), 'the filter by a value holds');
  await count('model.depth >= 4 and not act = relu or number < 2', /^\d+ of 60$/);
  await count('relu', /^\d+ of 60$/);
  await count('nothing-has-this', /^0 of 60$/);
  await page.waitForSelector('.grid-none:not([hidden])');
  await count('los < 1', /no column “los”; did you mean “loss”/);
  await count('loss <', /what\?/);
  await page.fill('.filter input', '');
  await page.locator('.tools summary').click();
  await page.locator('.popover label', { hasText: 'Attempts' }).click();
  await page.waitForSelector('.grid-head button[data-key=attempts]');
  await page.keyboard.press('Escape');
  quiet(page, 'table');
}

/** Everything that a mouse does, by keys alone. */
export async function keyboard(page) {
  await openRun(page, 'digits');
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('/');
  await page.keyboard.type('act = tanh');
  await page.waitForFunction(() => / of 60$/.test(document.querySelector('.filter-says').textContent));
  await page.keyboard.press('Escape');
  check(await page.evaluate(() => document.activeElement.getAttribute('role') === 'grid'), 'Escape goes from the filter to the table');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.waitForSelector('.trial-body:not([hidden])');
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  const first = await page.evaluate(() => document.activeElement.getAttribute('aria-activedescendant'));
  check(first?.startsWith('trial-row-'), 'the table says which row is active');
  await page.keyboard.press('Enter');
  check(await page.evaluate(() => document.activeElement.tagName === 'H2'), 'Enter goes to the trial');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.trial', { state: 'hidden' });
  await page.focus('[role=tab][aria-selected=true]');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('[role=tab][data-view=history][aria-selected=true]');
  await drawn(page, '.plot canvas');
  await page.focus('.plot canvas');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('.tip:not([hidden])');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.trial-body:not([hidden])');
  // Every stop of the Tab key is seen.
  const stops = new Set();
  await page.focus('.skip');
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const n = document.activeElement;
      if (n === document.body) return null;
      return { name: n.getAttribute('aria-label') || n.textContent.slice(0, 30) || n.tagName, ring: getComputedStyle(n).outlineStyle !== 'none' };
    });
    if (stop === null) break;
    check(stop.ring, `focus is seen on ${stop.name}`);
    stops.add(stop.name);
  }
  check(stops.size > 10, `Tab reaches everything: ${[...stops]}`);
  quiet(page, 'keyboard');
}

/** Texts that want to be more than texts. */
export async function hostile(page) {
  await openRun(page, 'hostile');
  const names = await page.locator('[role=tab]').evaluateAll((tabs) => tabs.map((t) => t.dataset.view));
  for (const name of names) {
    await view(page, name);
    await page.waitForSelector('.stage > *, .grid-row');
  }
  await view(page, 'trials');
  await choose(page, 'failures > 0');
  await page.waitForSelector('.trial-body:not([hidden]) .failure');
  const message = await text(page, '.failure .message');
  check(message.includes('<script>document.title=') && message.includes('<img src=x'), `tags are shown as text: ${message.slice(0, 80)}`);
  // eslint-disable-next-line no-control-regex
  check(!/[\u0000-\u0008\u001b\u202e]/.test(await page.evaluate(() => document.body.innerText)), 'no control character is left');
  const seen = await page.evaluate(() => ({ title: document.title, img: document.images.length, scripts: document.querySelectorAll('body script, body b[onerror]').length }));
  same(seen, { title: 'hostile · tryout', img: 0, scripts: 0 }, 'nothing of a text became a part of the page');
  await sound(page, 'hostile texts');
  quiet(page, 'hostile texts');
}

/** A narrow window: nothing sticks out, everything is there. */
export async function narrow(page, what) {
  await openRun(page, 'digits');
  const names = await page.locator('[role=tab]').evaluateAll((tabs) => tabs.map((t) => t.dataset.view));
  for (const name of names) {
    await view(page, name);
    await page.waitForFunction(() => !document.querySelector('.view .loading'));
    await sound(page, `${name}, ${what}`);
  }
  await view(page, 'trials');
  await choose(page, '');
  await sound(page, `a trial, ${what}`);
  await page.getByRole('button', { name: 'Close' }).click();
  quiet(page, what);
}
