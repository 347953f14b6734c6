// SPDX-License-Identifier: Apache-2.0
// Latency of the last minute, camera to motion, with the budget as a line.
import { at, number, show } from "./dom.js";

const SPAN_S = 60;

export class LatencyChart {
  constructor() { this.points = []; }

  add(controller, about) {
    const now = performance.now() / 1000;
    if (controller?.state === "tracking" && controller.owner === "policy" && controller.latency !== null) this.points.push([now, controller.latency, controller.budget]);
    while (this.points.length && now - this.points[0][0] > SPAN_S) this.points.shift();
    const sorted = this.points.map((point) => point[1]).sort((a, b) => a - b);
    const part = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    show(at("latency-note"), sorted.length ? `median ${number(1000 * part(0.5), 0)} ms, p95 ${number(1000 * part(0.95), 0)} ms; chunks are due ${number(1000 * (controller?.budget ?? 0), 0)} ms after the picture` : "no chunk followed yet");
    this.draw(now, about?.motion_budget ?? 0.6);
  }

  draw(now, budget) {
    const canvas = at("latency");
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * scale)) { canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); }
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const top = Math.max(budget * 1.25, ...this.points.map((point) => point[1]));
    const y = (value) => height - 14 - (height - 20) * value / top;
    const x = (time) => width - (now - time) / SPAN_S * width;
    context.strokeStyle = colour("--line");
    for (const line of [0, budget]) {
      context.setLineDash(line ? [5, 4] : []);
      context.strokeStyle = colour(line ? "--warn" : "--line");
      context.beginPath(); context.moveTo(0, y(line)); context.lineTo(width, y(line)); context.stroke();
    }
    context.setLineDash([]);
    context.strokeStyle = colour("--accent");
    context.lineWidth = 1.5;
    context.beginPath();
    this.points.forEach(([time, value], i) => (i && time - this.points[i - 1][0] < 1 ? context.lineTo(x(time), y(value)) : context.moveTo(x(time), y(value))));
    context.stroke();
    context.fillStyle = colour("--soft");
    context.font = "11px system-ui, sans-serif";
    context.fillText(`budget ${number(1000 * budget, 0)} ms`, 4, y(budget) - 4);
    context.fillText("60 s ago", 4, height - 2);
    context.textAlign = "right"; context.fillText("now", width - 4, height - 2); context.textAlign = "left";
  }
}
