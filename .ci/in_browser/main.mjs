// Drives the page; see .ci/browser.
import fs from 'node:fs';
import path from 'node:path';
import * as acts from './acts.mjs';
import { freePort, makeLarge, makeRuns, runs, serve, startLive, startServed } from './runs.mjs';
import { shots } from './shots.mjs';
import { judge, speed } from './speed.mjs';
import { check, context, done, newPage, open, quiet, same, sound, text } from './tools.mjs';
import * as seen from './views.mjs';

const began = Date.now();
const said = (what) => console.log(`${((Date.now() - began) / 1000).toFixed(1)} s  ${what}`);

/** Without a link, with a used one, and with a good one. */
async function session(browser, server) {
  const ctx = await context(browser);
  const page = await newPage(ctx);
  page.allow(/status of 401/);
  await page.goto(server.origin);
  await page.waitForSelector('.alone h1');
  same(await text(page, '.alone h1'), 'A link is needed', 'the page without a session');
  await sound(page, 'without a session');
  await page.goto('about:blank');
  await page.goto(server.link);
  await page.waitForSelector('.runs tbody tr');
  check(!page.url().includes('code'), `the code is out of the address: ${page.url()}`);
  await page.goBack();
  await page.goForward();
  await page.waitForSelector('.runs tbody tr');
  quiet(page, 'session');
  const other = await context(browser);
  const late = await newPage(other);
  late.allow(/status of 401/);
  await late.goto(server.link);
  await late.waitForSelector('.alone h1');
  await other.close();
  return [ctx, page];
}

async function list(page) {
  const names = await page.locator('.run-name').allTextContents();
  same([...names].sort(), ['digits', 'front', 'hostile', 'live', 'population'], 'all runs are listed');
  same(await page.locator('.runs tr', { hasText: 'live' }).locator('.state').first().textContent(), 'Running', 'a run’s state is a word');
  await sound(page, 'runs');
  await page.locator('.run-name', { hasText: 'digits' }).click();
  await page.waitForSelector('.grid-row:not([hidden])');
  await page.goBack();
  await page.waitForSelector('.runs tbody tr');
  quiet(page, 'runs');
}

const large = makeLarge();
makeRuns();
let walking = startLive();
said('runs are there');
const port = await freePort();
let server = await serve(port, runs);
const browser = await open();
try {
  const [ctx, page] = await session(browser, server);
  await page.waitForFunction(() => document.querySelectorAll('.run-name').length === 5);
  await list(page);
  said('session, runs');
  await seen.views(page);
  await seen.table(page);
  said('views, table');
  await seen.keyboard(page);
  await seen.hostile(page);
  said('keyboard, hostile texts');
  for (const dark of [false, true]) {
    const small = await context(browser, { width: 360, height: 740, dark });
    const narrow = await newPage(small);
    await narrow.goto(await server.another('control'));
    await narrow.waitForSelector('.runs tbody tr');
    await sound(narrow, 'runs at 360 px');
    await seen.narrow(narrow, `360 px, ${dark ? 'dark' : 'light'}`);
    const ground = await narrow.evaluate(() => getComputedStyle(document.body).backgroundColor);
    check((ground.match(/\d+/g).map(Number)[0] < 60) === dark, `the system’s colours hold: ${ground}`);
    await narrow.click('button.theme');
    check(await narrow.evaluate((g) => getComputedStyle(document.body).backgroundColor !== g, ground), 'the colours can be changed');
    await small.close();
  }
  said('360 px, dark and light');
  await acts.live(page, ctx);
  await acts.onTrials(page);
  await acts.onRun(page);
  await acts.byKeys(page);
  said('live, actions');
  const watcher = await context(browser);
  const watched = await newPage(watcher);
  await watched.goto(await server.another('watch'));
  await watched.waitForSelector('.runs tbody tr');
  await acts.watching(watched);
  await watcher.close();
  for (const part of [acts.asking, acts.chosen]) {
    const lone = await context(browser);
    await part(lone, await server.another('control'));
    await lone.close();
  }
  server = await acts.restart(page, server, () => serve(port, runs));
  said('watching, restart');
  await shots(browser, server);
  await acts.stopped(page);
  await walking.ended;
  walking = startLive('--resume');
  await acts.resumed(page);
  await ctx.close();
  await server.end();
  said('drained, resumed');

  const served = await startServed(await freePort());
  const one = await context(browser);
  await acts.main(await newPage(one), served.link).finally(() => served.end());
  await one.close();
  said('tryout run --serve');

  server = await serve(await freePort(), large);
  const lone = await context(browser);
  const times = await speed(browser, await newPage(lone), server.link);
  judge(times, process.env.TRYOUT_TIMES !== 'shown');
  await lone.close();
} catch (error) {
  const folder = path.resolve('target/browser/failed');
  fs.mkdirSync(folder, { recursive: true });
  let i = 0;
  for (const ctx of browser.contexts()) for (const page of ctx.pages()) {
    i += 1;
    await page.screenshot({ path: path.join(folder, `${i}.png`) }).catch(() => {});
    console.error(`${folder}/${i}.png shows ${page.url()}; console: ${JSON.stringify(page.troubles)}`);
  }
  console.error(`server: ${server.log().slice(-3000)}\nrun: ${walking.said().slice(-1000)}`);
  throw error;
} finally {
  await browser.close();
  await server.end();
  walking.child.kill('SIGINT');
  await walking.ended;
}
console.log(`browser: ${done()} checks in ${Math.round((Date.now() - began) / 1000)} s`);
