// A live run: what changes is seen, and every action is taken by its button.
import { check, choose, newPage, openRun, quiet, same, text, view } from './tools.mjs';

const iterations = (page) => page.evaluate(() => Number(document.querySelectorAll('.stat dd.num')[1].textContent.replace(/\D/g, '')));
const moves = (page, from) => page.waitForFunction((n) => Number(document.querySelectorAll('.stat dd.num')[1].textContent.replace(/\D/g, '')) > n, from);

/** Presses a button, reads what will happen, fills in, and confirms. Returns what was said then. */
export async function act(page, scope, name, fields = {}, { refused = false } = {}) {
  const inMenu = scope === '.run-head' && !['add', 'drain', 'stop'].includes(name);
  if (inMenu) await page.click('.run-actions summary');
  await page.click(`${scope} button[data-action=${name}]`);
  const box = page.locator('dialog[open]');
  await box.waitFor();
  check((await box.locator('.says').textContent()).length > 20, `${name} says what will happen`);
  for (const [field, value] of Object.entries(fields)) {
    const input = box.locator(`[name="${field}"]`);
    if (await input.evaluate((n) => n.tagName) === 'SELECT') await input.selectOption(value); else await input.fill(value);
  }
  await page.locator(`${scope} .said`).evaluate((n) => { n.textContent = ''; });
  await box.locator('button[type=submit]').click();
  if (refused) {
    await box.locator('.trouble:not(:empty)').waitFor();
    const why = await box.locator('.trouble').textContent();
    await page.keyboard.press('Escape');
    await box.waitFor({ state: 'detached' });
    return why;
  }
  await box.waitFor({ state: 'detached' }).catch(async () => check(false, `${name} was refused: ${await box.locator('.trouble').textContent()}`));
  await page.locator(`${scope} .said:not(:empty)`).waitFor();
  return text(page, `${scope} .said`);
}

const status = (page, wanted) => page.waitForFunction((w) => w.includes(document.querySelector('.trial-head .mark')?.textContent), [wanted].flat());

/** What happens is seen at once, in this tab and in a second one that has no stream of its own. */
export async function live(page, ctx) {
  await openRun(page, 'live');
  check(await text(page, '.link-state') === 'Live', 'the connection is shown');
  await moves(page, await iterations(page));
  const second = await newPage(ctx);
  await second.goto(page.url());
  await second.waitForSelector('.grid-row:not([hidden])');
  await moves(second, await iterations(second));
  const streams = (p) => p.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.includes('api/events')).length);
  await moves(page, await iterations(page));
  check(await streams(second) === 0, 'the second tab has no stream of its own');
  // What a running trial prints goes on by itself.
  await choose(page, 'status = running');
  await page.waitForFunction(() => /step \d+/.test(document.querySelector('.output').textContent));
  const length = (await text(page, '.output')).length;
  await page.waitForFunction((n) => document.querySelector('.output').textContent.length > n, length);
  const updates = await page.evaluate(() => performance.getEntriesByName('tryout:update').map((m) => m.duration));
  check(updates.length > 3, 'changes came through the stream');
  quiet(second, 'a second tab');
  await second.close();
  // The network comes back after a while without it: a new stream, and nothing is missing.
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await moves(page, await iterations(page));
  quiet(page, 'live');
}

/** A browser without streams asks. */
export async function asking(ctx, link) {
  await ctx.addInitScript(() => { delete window.EventSource; });
  const page = await newPage(ctx);
  await page.goto(link);
  await page.waitForSelector('.runs tbody tr');
  await openRun(page, 'live');
  await page.waitForFunction(() => document.querySelector('.link-state').textContent === 'Asking');
  await moves(page, await iterations(page));
  quiet(page, 'asking');
}

/** What the server chose of a million trials is said. */
export async function chosen(ctx, link) {
  const page = await newPage(ctx);
  await page.route('**/trials?most=*', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...await answer.json(), of: 1000000, chosen: 'the best 2,000, the newest 2,000 and 46,000 at random' } });
  });
  await page.goto(link);
  await page.waitForSelector('.runs tbody tr');
  await openRun(page, 'digits');
  same(await text(page, '.chosen'), '60 of 1,000,000 trials: the best 2,000, the newest 2,000 and 46,000 at random', 'the choice is said');
  quiet(page, 'a choice');
}

export async function onTrials(page) {
  // A refusal has a status of its own, and Chromium says so.
  page.allow(/status of 409/);
  const number = await choose(page, 'status = running');
  const me = `number = ${number}`;
  await act(page, '.trial', 'save');
  await page.waitForFunction(() => [...document.querySelectorAll('.trial section:not([hidden]) h3')].some((h) => h.textContent === 'Checkpoints'));
  await choose(page, me);
  await act(page, '.trial', 'pause');
  await status(page, 'Paused');
  check(await page.locator('.trial button[data-action=pause]').isDisabled(), 'what is paused can’t be paused');
  check((await page.locator('.trial button[data-action=pause]').getAttribute('title')).includes('paused'), 'a button that is off says why');
  await act(page, '.trial', 'priority', { priority: '5' });
  await page.waitForFunction(() => document.querySelector('.trial .facts').textContent.includes('Priority5'));
  await act(page, '.trial', 'resources', { needs: 'cpu 1' });
  check((await act(page, '.trial', 'resources', { needs: 'cpu 4000' }, { refused: true })).startsWith('Refused'), 'what can’t be is refused in the server’s words');
  await act(page, '.trial', 'unpause');
  await status(page, ['Running', 'Pending']);
  await act(page, '.trial', 'stop');
  await status(page, 'Terminated');
}

export async function onRun(page) {
  await page.fill('.filter input', '');
  const total = Number((await text(page, '.filter-says')).match(/\d+/)[0]);
  await act(page, '.run-head', 'machine', { has: 'cpu 4' });
  await act(page, '.run-head', 'concurrency', { n: '4' });
  await act(page, '.run-head', 'staged', { n: '3' });
  await act(page, '.run-head', 'samples', { n: '15' });
  await page.waitForFunction(() => document.querySelector('.stats').textContent.includes('15 samples'));
  await act(page, '.run-head', 'time', { after: '8h', then: 'save_then_stop' });
  await page.waitForFunction(() => document.querySelector('.stats').textContent.includes('of 8 h 0 min'));
  const limit = (n) => JSON.stringify([{ iterations: { limit: n } }]);
  check((await act(page, '.run-head', 'rules', { rules: limit(0) }, { refused: true })).includes('the limit is 0'), 'a rule that can’t be is refused in the engine’s words');
  check((await act(page, '.run-head', 'rules', { rules: '{"iterations": 3}' }, { refused: true })).startsWith('Not sent'), 'what is no list isn’t sent');
  await act(page, '.run-head', 'rules', { rules: limit(100000000) });
  await page.waitForFunction(() => [...document.querySelectorAll('.run-details dd')].some((d) => d.textContent.includes('"limit":100000000')));
  const lr = await page.evaluate(async () => {
    const header = await (await fetch(`api/runs/${new URLSearchParams(location.hash.slice(1)).get('run')}`)).json();
    return header.parameters.filter((p) => ['float', 'int', 'choice'].includes(p.kind)).findIndex((p) => p.name === 'lr');
  });
  await act(page, '.run-head', 'space', { parameter: String(lr), bounds: '0.001 to 0.01' });
  await page.click('.run-details summary');
  await page.waitForFunction(() => document.querySelectorAll('.run-details .edits li').length >= 4);
  await page.click('.run-details summary');
  // One more trial, which breaks; it is tried again.
  const at = await page.evaluate(async () => {
    const header = await (await fetch(`api/runs/${new URLSearchParams(location.hash.slice(1)).get('run')}`)).json();
    return header.parameters.map((p) => p.name);
  });
  await page.getByRole('button', { name: 'Close' }).click();
  await act(page, '.run-head', 'add', { [`p${at.indexOf('breaks')}`]: '3' });
  await page.waitForFunction((n) => Number(document.querySelector('.filter-says').textContent.match(/\d+/)[0]) > n, total);
  const added = await text(page, '.run-head .said');
  // There is room for all that wait.
  await act(page, '.run-head', 'machine', { has: 'cpu 16' });
  await act(page, '.run-head', 'concurrency', { n: '16' });
  await choose(page, `number = ${Number(added.match(/_(\d+)/)[1])}`);
  await page.waitForSelector('.trial .failure');
  await status(page, 'Error');
  check((await text(page, '.trial .failure')).includes('as it was told to'), 'a failure has its message');
  await act(page, '.trial', 'retry');
  await page.waitForFunction(() => document.querySelectorAll('.trial .failure').length > 1);
  await act(page, '.run-head', 'proceed', {}, {}).catch(() => {});
  if (await page.locator('dialog[open]').count()) await page.keyboard.press('Escape');
  same(await page.locator('dialog[open]').count(), 0, 'dialogs are closed');
}

/** A dialog by keys alone, called off and confirmed. */
export async function byKeys(page) {
  await page.fill('.filter input', '');
  await page.focus('.run-actions summary');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.dataset.action === 'concurrency'), 'the menu is the next stop');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  await page.focus('.run-actions summary');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.type('3');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  await page.waitForFunction(() => document.querySelector('.run-head .said').textContent.includes('At most 3'));
}

/** Somebody who may only watch. */
export async function watching(page) {
  await openRun(page, 'live');
  same(await text(page, '.run-actions .reason'), 'Watching only', 'a watcher is told so');
  check(!(await page.locator('.run-actions .buttons').isVisible()), 'a watcher has no buttons');
  await choose(page, '');
  check((await text(page, '.trial .reason')).includes('only lets you watch'), 'and no buttons on a trial');
  quiet(page, 'watching');
}

/** The server goes and comes back; its sessions are gone, a new link in the same tab brings everything back. */
export async function restart(page, server, again) {
  await openRun(page, 'live');
  page.allow(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_NETWORK|status of 401/);
  await server.end();
  await page.waitForFunction(() => document.querySelector('.link-state').textContent !== 'Live');
  check(await page.locator('.grid-row:not([hidden])').count() > 0, 'what was there stays');
  const next = await again();
  await page.waitForSelector('.banner:not([hidden])');
  check((await text(page, '.banner')).includes('session has ended'), 'the page says that the session is gone, and how to go on');
  const run = new URL(page.url()).hash;
  await page.goto(`${next.link}&${run.slice(1)}`);
  await page.waitForFunction(() => document.querySelector('.link-state').textContent === 'Live' && document.querySelector('.banner').hidden);
  check(!page.url().includes('code='), 'the code is out of the address');
  await moves(page, await iterations(page));
  return next;
}

/** The page of `tryout run --serve`: there before the first result, and still there when the run has ended. */
export async function main(page, link) {
  await page.goto(link);
  await page.waitForFunction(() => document.querySelector('.run-head h1')?.textContent === 'short');
  await page.waitForFunction(() => document.querySelector('.run-head .state').textContent === 'Completed');
  await page.waitForFunction(() => document.querySelector('.filter-says').textContent === '12 trials');
  await page.waitForFunction(() => document.querySelector('.run-actions .reason').textContent.includes('not live'));
  await view(page, 'curves');
  await page.waitForSelector('.uplot canvas');
  await page.reload();
  await page.waitForFunction(() => document.querySelector('.run-head .state')?.textContent === 'Completed');
  quiet(page, 'tryout run --serve');
}

/** A run that is gone on with is live again on a page that stayed open. */
export async function resumed(page) {
  await page.waitForFunction(() => document.querySelector('.run-head .state').textContent === 'Running');
  await page.locator('.run-actions .buttons').waitFor();
  await moves(page, await iterations(page));
  quiet(page, 'resumed');
}

export async function stopped(page) {
  await act(page, '.run-head', 'drain', { s: '20' });
  await page.waitForFunction(() => /Drained|Stopped|Ending/.test(document.querySelector('.run-head .state').textContent));
  await page.waitForFunction(() => document.querySelector('.run-actions .reason').textContent.includes('not live'));
  await view(page, 'trials');
  quiet(page, 'actions');
}
