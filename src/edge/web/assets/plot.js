// Canvas: a surface that knows its size, its colours and what lies below the pointer; scales and axes.
import { el, say } from './dom.js';
import { duration, num } from './format.js';

const NAMES = ['ink', 'quiet', 'faint', 'rule', 'paper', 'accent', 'danger'];

/** The colours of the style sheet as they are now. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const found = Object.fromEntries(NAMES.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
  found.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  found.ramp = ramp(found.faint, found.accent);
  return found;
}

const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** Sixteen colours from the best to the worst. */
function ramp(from, to) {
  const a = parts(from), b = parts(to);
  return Array.from({ length: 16 }, (_, i) => {
    const t = (1 - i / 15) ** 1.6;
    return `rgb(${a.map((x, k) => Math.round(x + (b[k] - x) * t)).join(' ')})`;
  });
}

/** From values to 0..1. A logarithm only where all is above zero. */
export function scale(min, max, log = false) {
  if (!Number.isFinite(min) || !Number.isFinite(max)) { min = 0; max = 1; }
  log = log && min > 0;
  if (min === max) {
    const pad = log ? 2 : Math.abs(min) * 0.1 || 1;
    [min, max] = log ? [min / pad, max * pad] : [min - pad, max + pad];
  }
  const f = log ? Math.log10 : (v) => v;
  const a = f(min), w = f(max) - a;
  return { min, max, log, to: (v) => (f(v) - a) / w, from: (t) => (log ? 10 ** (a + t * w) : a + t * w), ticks: (n) => ticks(min, max, log, n) };
}

function ticks(min, max, log, n) {
  if (log && max / min >= 10) {
    const low = Math.ceil(Math.log10(min) - 1e-9), high = Math.floor(Math.log10(max) + 1e-9);
    const every = Math.max(1, Math.ceil((high - low + 1) / n));
    const out = [];
    for (let e = low; e <= high; e += every) out.push([10 ** e, e >= -3 && e <= 4 ? num(10 ** e) : `1e${String(e).replace('-', '−')}`]);
    if (out.length > 1) return out;
  }
  const rough = (max - min) / Math.max(1, n);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((s) => s * power).find((s) => s >= rough) ?? rough;
  const out = [];
  for (let v = Math.ceil(min / step - 1e-9) * step; v <= max + step * 1e-9; v += step) out.push([v, num(Math.abs(v) < step * 1e-6 ? 0 : Number(v.toPrecision(10)))]);
  return out;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/** Places on an axis of seconds that a clock has too. */
export function timeTicks(s, n) {
  const rough = (s.max - s.min) / Math.max(1, n);
  if (rough < 1) return s.ticks(n).map(([v]) => [v, duration(v)]);
  const step = STEPS.find((x) => x >= rough) ?? 604800 * Math.ceil(rough / 604800);
  const out = [];
  for (let v = Math.ceil(s.min / step - 1e-9) * step; v <= s.max + step * 1e-9; v += step) out.push([v, v === 0 ? '0' : duration(v).replace(' 0 s', '').replace(' 0 min', '').replace(' 0 h', '')]);
  return out;
}

/** The smallest and greatest finite value of some rows. */
export function extent(data, rows) {
  let min = Infinity, max = -Infinity;
  for (let i = 0; i < rows.length; i += 1) {
    const v = data[rows[i]];
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return [min, max];
}

/** A value below which a part of the values lies. */
export function quantile(values, q) {
  const known = Float64Array.from(values.filter((v) => Number.isFinite(v))).sort();
  return known.length === 0 ? NaN : known[Math.min(known.length - 1, Math.floor(q * known.length))];
}

export function axes(ctx, c, area, sx, sy, { xLabel, yLabel, xTicks, yTicks } = {}) {
  ctx.font = c.font;
  ctx.lineWidth = 1;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'right';
  for (const [v, label] of yTicks ?? sy.ticks(Math.max(4, area.h / 48))) {
    const y = Math.round(area.y + area.h * (1 - sy.to(v))) + 0.5;
    ctx.strokeStyle = c.rule;
    ctx.beginPath(); ctx.moveTo(area.x, y); ctx.lineTo(area.x + area.w, y); ctx.stroke();
    ctx.fillStyle = c.quiet;
    ctx.fillText(label, area.x - 8, y);
  }
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  ctx.fillStyle = c.quiet;
  for (const [v, label] of xTicks ?? sx.ticks(Math.max(2, area.w / 90))) {
    ctx.fillText(label, area.x + area.w * sx.to(v), area.y + area.h + 7);
  }
  if (xLabel) { ctx.textAlign = 'right'; ctx.fillText(xLabel, area.x + area.w, area.y + area.h + 23); }
  if (yLabel) { ctx.textAlign = 'left'; ctx.textBaseline = 'bottom'; ctx.fillText(yLabel, Math.max(2, area.x - 48), area.y - 8); }
}

/**
 * A plot on a canvas. `draw(ctx, area, colours)` draws it and may fill `points` (`x`, `y`, `number`) for the pointer and the keyboard;
 * `describe(number)` gives the text of the tip.
 */
export class Plot {
  constructor(label, { draw, describe, pick, pad = [30, 20, 44, 64], over, className = '' }) {
    Object.assign(this, { drawAll: draw, describe, pick, pad, over });
    this.canvas = el('canvas', { tabindex: '0', role: 'img', 'aria-label': label });
    this.top = el('canvas', { class: 'over', 'aria-hidden': 'true' });
    this.tip = el('div', { class: 'tip', hidden: true });
    this.node = el('div', { class: `plot ${className}` }, this.canvas, this.top, this.tip);
    this.clear();
    this.size = new ResizeObserver(() => this.draw());
    this.size.observe(this.node);
    this.canvas.addEventListener('pointermove', (e) => this.moved(e));
    this.canvas.addEventListener('pointerleave', () => this.hide());
    this.canvas.addEventListener('click', (e) => { const hit = this.at(e); if (hit !== null) this.pick?.(hit); });
    this.canvas.addEventListener('keydown', (e) => this.key(e));
    this.canvas.addEventListener('blur', () => this.hide());
  }

  clear() {
    this.px = []; this.py = []; this.pn = [];
  }

  point(x, y, number) {
    this.px.push(x); this.py.push(y); this.pn.push(number);
  }

  surface(canvas, w, h) {
    const r = devicePixelRatio || 1;
    if (canvas.width !== Math.round(w * r) || canvas.height !== Math.round(h * r)) { canvas.width = Math.round(w * r); canvas.height = Math.round(h * r); }
    const ctx = canvas.getContext('2d');
    ctx.setTransform(r, 0, 0, r, 0, 0);
    ctx.clearRect(0, 0, w, h);
    return ctx;
  }

  draw() {
    const w = this.node.clientWidth, h = this.node.clientHeight;
    if (w < 40 || h < 40) return;
    this.c = colours();
    const [t, r, b, l] = this.pad;
    this.area = { x: l, y: t, w: Math.max(10, w - l - r), h: Math.max(10, h - t - b) };
    this.clear();
    this.drawAll(this.surface(this.canvas, w, h), this.area, this.c);
    this.mark();
  }

  /** What lies over the plot: the trial that is selected. */
  mark() {
    const w = this.node.clientWidth, h = this.node.clientHeight;
    if (!this.area || w < 40 || h < 40) return;
    this.over?.(this.surface(this.top, w, h), this.area, this.c);
  }

  at(e) {
    const box = this.canvas.getBoundingClientRect();
    return this.nearest(e.clientX - box.left, e.clientY - box.top);
  }

  nearest(x, y) {
    let best = 400, hit = -1;
    for (let i = 0; i < this.px.length; i += 1) {
      const dx = this.px[i] - x, dy = this.py[i] - y, d = dx * dx + dy * dy;
      if (d < best) { best = d; hit = i; }
    }
    this.hit = hit;
    return hit < 0 ? null : this.pn[hit];
  }

  moved(e) {
    const number = this.at(e);
    this.canvas.classList.toggle('hits', number !== null);
    if (number === null) this.hide(); else this.show(number, this.px[this.hit], this.py[this.hit]);
  }

  show(number, x, y) {
    const text = this.describe?.(number);
    if (!text) { this.hide(); return; }
    say(this.tip, text);
    this.tip.hidden = false;
    const w = this.node.clientWidth, own = this.tip.offsetWidth;
    this.tip.style.setProperty('left', `${Math.max(4, Math.min(w - own - 4, x + 12))}px`);
    this.tip.style.setProperty('top', `${Math.max(4, y - this.tip.offsetHeight - 10)}px`);
  }

  hide() {
    this.tip.hidden = true;
  }

  // Left and right go from point to point in the order of their places; Enter selects.
  key(e) {
    if (e.key === 'Escape') { this.hide(); return; }
    if (e.key === 'Enter' || e.key === ' ') {
      if (this.cursor >= 0 && this.pn[this.order[this.cursor]] !== undefined) { this.pick?.(this.pn[this.order[this.cursor]]); e.preventDefault(); }
      return;
    }
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[e.key];
    if (step === undefined || this.px.length === 0) return;
    e.preventDefault();
    this.order = this.px.map((_, i) => i).sort((a, b) => this.px[a] - this.px[b] || a - b);
    this.cursor = Math.max(0, Math.min(this.order.length - 1, (this.cursor ?? -1) + step));
    const i = this.order[this.cursor];
    this.show(this.pn[i], this.px[i], this.py[i]);
  }

  end() {
    this.size.disconnect();
  }
}

/** A ring around a point. */
export function ring(ctx, c, x, y, r = 6) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.lineWidth = 4; ctx.strokeStyle = c.paper; ctx.stroke();
  ctx.lineWidth = 2; ctx.strokeStyle = c.ink; ctx.stroke();
}
