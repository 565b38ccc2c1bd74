"use strict";
// Draws the series that the page carries; everything that somebody wrote goes into the page as text, never as mark-up.
(() => {
  const brands = JSON.parse(document.getElementById("series").textContent);
  const words = {
    en: { authors: "authors", harmful: "harmful", expected: "expected", score: "score", unknown: "no expectation yet" },
    fr: { authors: "auteurs", harmful: "nuisibles", expected: "attendus", score: "score", unknown: "rien d’attendu encore" },
  };
  const root = document.documentElement;
  const hour = 3600;
  const locale = () => (root.lang === "fr" ? "fr-FR" : "en-GB");
  const date = (at, parts) => new Intl.DateTimeFormat(locale(), { timeZone: "UTC", ...parts }).format(new Date(at * 1000));
  const number = (value) => new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);

  class Chart {
    constructor(canvas, data) {
      this.canvas = canvas;
      this.data = data;
      this.begin = data.start;
      this.end = data.start + data.step * data.authors.length;
      this.told = canvas.parentElement.querySelector("output");
      this.back = document.querySelector(`[data-whole="${canvas.dataset.brand}"]`);
      this.whole();
      canvas.addEventListener("pointerdown", (event) => { this.from = this.at(event); });
      canvas.addEventListener("pointermove", (event) => this.point(this.at(event)));
      canvas.addEventListener("pointerup", (event) => this.release(this.at(event)));
      canvas.addEventListener("pointerleave", () => { this.from = this.cursor = null; this.told.hidden = true; this.draw(); });
      canvas.addEventListener("pointercancel", () => { this.from = null; });
      canvas.addEventListener("keydown", (event) => this.key(event));
      this.back.addEventListener("click", () => this.whole());
      new ResizeObserver(() => this.draw()).observe(canvas);
    }

    whole() { this.look(this.begin, this.end); }

    look(first, last) {
      const least = 12 * this.data.step;
      const middle = (first + last) / 2;
      const half = Math.max(last - first, least) / 2;
      this.first = Math.max(this.begin, middle - half);
      this.last = Math.min(this.end, middle + half);
      this.back.hidden = this.first <= this.begin && this.last >= this.end;
      this.draw();
    }

    at(event) {
      const box = this.canvas.getBoundingClientRect();
      const share = (event.clientX - box.left - this.left) / (box.width - this.left - this.right);
      return this.first + Math.min(1, Math.max(0, share)) * (this.last - this.first);
    }

    release(to) {
      const from = this.from;
      this.from = null;
      if (from !== null && from !== undefined && Math.abs(to - from) > 3 * this.data.step) this.look(Math.min(from, to), Math.max(from, to));
    }

    key(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.whole();
      if (!step) return;
      event.preventDefault();
      this.point((this.cursor ?? this.first) + step * this.data.step);
    }

    point(at) {
      const { data, told } = this;
      const index = Math.min(data.authors.length - 1, Math.max(0, Math.floor((at - data.start) / data.step)));
      this.cursor = data.start + (index + 0.5) * data.step;
      const say = words[root.lang] ?? words.en;
      const begin = data.start + index * data.step;
      const when = data.step < 24 * hour ? { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", year: "numeric" };
      const expected = data.mean[index];
      told.textContent = [
        date(begin, when),
        `${number(data.authors[index])} ${say.authors}`,
        `${number(data.harmful[index])} ${say.harmful}`,
        expected === null ? say.unknown : `${number(expected)} ${say.expected} (${number(data.low[index])}–${number(data.high[index])})`,
        `${say.score} ${number(data.score[index])}`,
      ].join("\n");
      told.hidden = false;
      this.draw();
      const x = this.x(this.cursor);
      const wide = this.canvas.clientWidth;
      told.style.left = x < wide / 2 ? `${Math.min(x + 12, wide - told.offsetWidth)}px` : `${Math.max(0, x - 12 - told.offsetWidth)}px`;
    }

    x(at) { return this.left + ((at - this.first) / (this.last - this.first)) * (this.canvas.clientWidth - this.left - this.right); }

    draw() {
      const { canvas, data } = this;
      const wide = canvas.clientWidth;
      const high = canvas.clientHeight;
      if (!wide) return;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      const style = getComputedStyle(root);
      const ink = (name) => style.getPropertyValue(`--${name}`).trim();
      Object.assign(this, { left: 38, right: 8 });
      pen.font = `12px ${style.fontFamily || "sans-serif"}`;
      const from = Math.max(0, Math.floor((this.first - data.start) / data.step));
      const to = Math.min(data.authors.length, Math.ceil((this.last - data.start) / data.step));
      const foot = 22;
      const scores = { top: high - foot - Math.round(high * 0.24), bottom: high - foot };
      const counts = { top: 8, bottom: scores.top - 16 };
      let most = 1;
      for (let i = from; i < to; i += 1) most = Math.max(most, data.authors[i], data.high[i] ?? 0);
      const y = (value) => counts.bottom - (value / most) * (counts.bottom - counts.top);
      const scoreY = (value) => scores.bottom - (value / 100) * (scores.bottom - scores.top);

      // The stretches of each level lie behind everything.
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 0, wide - this.left - this.right, high);
      pen.clip();
      for (const [begin, end, level] of data.spans) {
        const a = this.x(begin);
        const b = Math.max(this.x(end), a + 2);
        pen.fillStyle = ink(level);
        pen.globalAlpha = 0.16;
        pen.fillRect(a, counts.top, b - a, scores.bottom - counts.top);
        pen.globalAlpha = 1;
        pen.fillRect(a, scores.bottom - 3, b - a, 3);
      }
      pen.restore();

      this.lines(pen, ink, y, counts, most);
      this.lines(pen, ink, scoreY, scores, 100);
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 0, wide - this.left - this.right, high);
      pen.clip();
      const step = this.x(data.start + data.step) - this.x(data.start);
      const bar = Math.max(step - (step > 4 ? 1 : 0), 0.7);
      for (const [name, colour] of [["authors", "bar"], ["harmful", "harm"]]) {
        pen.fillStyle = ink(colour);
        for (let i = from; i < to; i += 1) {
          const top = y(data[name][i]);
          pen.fillRect(this.x(data.start + i * data.step), top, bar, counts.bottom - top);
        }
      }
      this.band(pen, ink, from, to, y);
      pen.strokeStyle = ink("ink");
      pen.lineWidth = 1.5;
      pen.lineJoin = "round";
      pen.beginPath();
      for (let i = from; i < to; i += 1) pen.lineTo(this.x(data.start + (i + 0.5) * data.step), scoreY(data.score[i]));
      pen.stroke();
      for (const [at, level] of data.alerts) {
        pen.fillStyle = ink(level);
        pen.beginPath();
        pen.moveTo(this.x(at), counts.top + 8);
        pen.lineTo(this.x(at) - 5, counts.top - 2);
        pen.lineTo(this.x(at) + 5, counts.top - 2);
        pen.fill();
      }
      if (this.cursor) {
        pen.strokeStyle = ink("soft");
        pen.lineWidth = 1;
        pen.beginPath();
        pen.moveTo(this.x(this.cursor), counts.top);
        pen.lineTo(this.x(this.cursor), scores.bottom);
        pen.stroke();
      }
      pen.restore();
      this.dates(pen, ink, high);
    }

    // The expected harmful authors: a line, and where about 19 of 20 calm stretches lie.
    band(pen, ink, from, to, y) {
      const { data } = this;
      const middle = (i) => this.x(data.start + (i + 0.5) * data.step);
      for (let i = from; i < to; ) {
        if (data.mean[i] === null) { i += 1; continue; }
        let last = i;
        while (last + 1 < to && data.mean[last + 1] !== null) last += 1;
        pen.fillStyle = pen.strokeStyle = ink("usual");
        pen.globalAlpha = 0.28;
        pen.beginPath();
        for (let k = i; k <= last; k += 1) pen.lineTo(middle(k), y(data.high[k]));
        for (let k = last; k >= i; k -= 1) pen.lineTo(middle(k), y(data.low[k]));
        pen.fill();
        pen.globalAlpha = 1;
        pen.lineWidth = 1.5;
        pen.beginPath();
        for (let k = i; k <= last; k += 1) pen.lineTo(middle(k), y(data.mean[k]));
        pen.stroke();
        i = last + 1;
      }
    }

    lines(pen, ink, y, box, most) {
      const rough = most / 3;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = most === 100 ? 50 : Math.max(1, [1, 2, 5, 10].find((times) => times * power >= rough) * power);
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.lineWidth = 1;
      for (let value = 0; value <= most; value += step) {
        const level = Math.round(y(value)) + 0.5;
        pen.strokeStyle = ink("line");
        pen.beginPath();
        pen.moveTo(this.left, level);
        pen.lineTo(this.canvas.clientWidth - this.right, level);
        pen.stroke();
        pen.fillStyle = ink("soft");
        pen.fillText(number(value), this.left - 6, level);
      }
    }

    dates(pen, ink, high) {
      const span = this.last - this.first;
      // A label with a time of day is wider.
      const most = (length) => Math.max(2, Math.floor((this.canvas.clientWidth - this.left) / (length < 24 * hour ? 100 : 62)));
      const steps = [1, 3, 6, 12, 24, 48, 72, 96, 168, 336, 720, 1440, 2160, 4380, 8760, 17520].map((hours) => hours * hour);
      const step = steps.find((length) => span / length <= most(length)) ?? steps[steps.length - 1];
      const parts = step < 24 * hour ? { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }
        : step < 720 * hour ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" };
      pen.textAlign = "center";
      pen.textBaseline = "alphabetic";
      pen.fillStyle = ink("soft");
      for (let at = Math.ceil(this.first / step) * step; at <= this.last; at += step) {
        const x = this.x(at);
        if (x < this.left + 26 || x > this.canvas.clientWidth - 30) continue;
        pen.fillText(date(at, parts), x, high - 5);
      }
    }
  }

  const charts = [...document.querySelectorAll("canvas")].map((canvas) => new Chart(canvas, brands[Number(canvas.dataset.brand)]));

  for (const button of document.querySelectorAll("[data-look]")) {
    button.addEventListener("click", () => {
      const chart = charts[Number(button.dataset.of)];
      const at = chart.data.alerts[Number(button.dataset.look)][0];
      chart.look(at - 36 * Math.max(hour, chart.data.step), at + 36 * Math.max(hour, chart.data.step));
      chart.point(at);
      chart.canvas.scrollIntoView({ block: "center", behavior: "smooth" });
    });
  }

  const speak = (language) => {
    root.lang = language;
    for (const chart of charts) chart.draw();
  };
  for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => speak(button.dataset.language));
  speak((navigator.language || "en").startsWith("fr") ? "fr" : "en");
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.draw()));
})();
