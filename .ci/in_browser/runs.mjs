// Real runs, and the real server over them.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';

export const scratch = process.env.SCRATCH;
export const program = process.env.TRYOUT ?? path.resolve('target/release/tryout');
export const runs = path.join(scratch, 'runs');

const WORKER = 'worker = ["python3", "-m", "tryout_worker", "work.py:Work"]\n';
const SPACE = '[space]\nlr = { log_uniform = [1e-5, 1e-1] }\n"model.depth" = { int = [2, 8] }\nact = { choice = ["relu", "gelu", "tanh"] }\n';

const FILES = {
  digits: `samples = 60\nseed = 1\nobjective.min = "loss"\nschedule.asha = { max_t = 27, grace_period = 1, reduction_factor = 3 }\ncheckpoints.at_end = "checkpoint"\nmachine.cpu = 3\n${SPACE}`,
  population: `samples = 8\nseed = 1\nobjective.min = "loss"\nschedule.pbt = { time_attr = "training_iteration", perturbation_interval = 4, mutations = { lr = { log_uniform = [1e-5, 1e-1] } } }\nstop.iterations = { limit = 24 }\nmachine.cpu = 8\n${SPACE}`,
  front: `samples = 40\nseed = 1\nsearch.nsga2 = { objectives = [{ min = "loss" }, { min = "cost" }], population = 10 }\nstop.iterations = { limit = 2 }\n${SPACE}`,
  hostile: `samples = 8\nseed = 3\nobjective.min = "loss"\nstop.iterations = { limit = 6 }\nretry = { max_failures = 1 }\n[space]\nlr = { log_uniform = [1e-5, 1e-1] }\nhostile = true\n"<script>document" = { choice = ["<script>alert(1)</script>", "\\u001b[31mred \\u202Eevil", "\\"quoted\\" & <b>bold</b>"] }\n`,
  short: `samples = 12\nseed = 1\nobjective.min = "loss"\nstop.iterations = { limit = 12 }\nmachine.cpu = 2\n${SPACE}wait = 0.02\n`,
  live: `samples = 12\nseed = 1\nobjective.min = "loss"\ndurability = "every_event"\nmachine.cpu = 3\n${SPACE}wait = 0.05\nbreaks = { int = [100000, 1000000] }\n`,
};

/** Writes the experiment files and runs those that end. */
export function makeRuns() {
  fs.copyFileSync('.ci/in_browser/work.py', path.join(scratch, 'work.py'));
  for (const [name, text] of Object.entries(FILES)) fs.writeFileSync(path.join(scratch, `${name}.toml`), `name = "${name}"\n${WORKER}${text}`);
  for (const name of ['digits', 'population', 'front', 'hostile']) {
    const { status, stderr } = spawnSync(program, ['run', `${name}.toml`, '--dir', runs, '--quiet', '--json'], { cwd: scratch, encoding: 'utf8' });
    if (status !== 0 && status !== 3) throw new Error(`the run ${name} came to ${status}: ${stderr}`);
  }
}

/** A run of 50,000 trials, each of one step, below a directory of its own. */
export function makeLarge() {
  const temp = path.join(scratch, 'large');
  fs.mkdirSync(temp);
  const { status, stderr } = spawnSync('target/release/examples/control_plane', ['--workload', 'trials', '--trials', '50000', '--store', 'dir', '--json'],
    { env: { ...process.env, TMPDIR: temp }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`control_plane: ${stderr}`);
  return temp;
}

/** A run that goes on until it is ended; `--resume` goes on with it. */
export function startLive(...more) {
  const child = spawn(program, ['run', 'live.toml', '--dir', runs, '--quiet', ...more], { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (d) => { said += d; });
  return { child, said: () => said, ended: once(child, 'exit') };
}

/** A run that shows its own page; resolves when its link is there. */
export async function startServed(port) {
  const child = spawn(program, ['run', 'short.toml', '--dir', path.join(scratch, 'served'), '--quiet', '--serve', `127.0.0.1:${port}`], { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = readline.createInterface({ input: child.stderr });
  const link = await new Promise((resolve, reject) => {
    lines.on('line', (l) => { const m = /https?:\/\/\S+#code=\S+/.exec(l); if (m) resolve(m[0]); });
    child.on('exit', (code) => reject(new Error(`tryout run --serve came to ${code}`)));
  });
  return {
    link,
    async end() {
      child.kill('SIGINT');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A server over some directories; resolves when its link is there. */
export async function serve(port, ...dirs) {
  const token = path.join(scratch, 'token');
  const child = spawn(program, ['serve', ...dirs, '--bind', `127.0.0.1:${port}`, '--token-file', token], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (d) => { log += d; });
  const lines = readline.createInterface({ input: child.stdout });
  const link = await new Promise((resolve, reject) => {
    lines.on('line', (l) => { const m = /https?:\/\/\S+#code=\S+/.exec(l); if (m) resolve(m[0]); });
    child.on('exit', (code) => reject(new Error(`tryout serve came to ${code}: ${log}`)));
  });
  const origin = link.slice(0, link.indexOf('#'));
  return {
    link, origin, log: () => log,
    /** Another link, for one role. */
    async another(role) {
      const answer = await fetch(`${origin}api/code`, {
        method: 'POST', body: JSON.stringify({ role }),
        headers: { 'Content-Type': 'application/json', 'X-Tryout': '1', Authorization: `Bearer ${fs.readFileSync(token, 'utf8').trim()}` },
      });
      const { code, error } = await answer.json();
      if (!code) throw new Error(`no code: ${JSON.stringify(error)}`);
      return `${origin}#code=${code}`;
    },
    async end() {
      child.kill('SIGINT');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
