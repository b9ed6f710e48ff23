// Pictures for the documentation.
import fs from 'node:fs';
import path from 'node:path';
import { check, choose, context, drawn, newPage, openRun, view } from './tools.mjs';

const LARGEST = 200000;

async function picture(page, name) {
  const folder = process.env.TRYOUT_WRITE === '1' ? 'docs' : 'target/browser';
  const file = path.resolve(folder, `page-${name}.png`);
  await page.mouse.move(2, 2);
  await page.evaluate(() => document.activeElement?.blur());
  await page.screenshot({ path: file });
  check(fs.statSync(file).size < LARGEST, `${file} has less than ${LARGEST} bytes`);
}

async function select(page, filter) {
  await choose(page, filter);
  await page.fill('.filter input', '');
  await page.waitForFunction(() => !location.hash.includes('filter'));
}

export async function shots(browser, server) {
  for (const dark of [false, true]) {
    const ctx = await context(browser, { width: 1280, height: 800, dark });
    const page = await newPage(ctx);
    await page.goto(await server.another('control'));
    await page.waitForSelector('.runs tbody tr');
    await openRun(page, dark ? 'digits' : 'live');
    await select(page, dark ? 'iteration >= 27' : 'status = running');
    await drawn(page, '.trial .uplot canvas');
    if (dark) {
      await view(page, 'rungs');
      await drawn(page, '.plot canvas');
      await picture(page, 'rungs-dark');
      await page.keyboard.press('Escape');
      await view(page, 'slice');
      await drawn(page, '.slices canvas');
      await page.waitForSelector('.bars .bar');
      await picture(page, 'importance-dark');
    } else {
      await picture(page, 'trials');
      await openRun(page, 'population');
      await view(page, 'lineage');
      await drawn(page, '.plot canvas');
      await picture(page, 'lineage');
    }
    await ctx.close();
  }
}
