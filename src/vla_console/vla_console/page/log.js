// SPDX-License-Identifier: Apache-2.0
// The log of all nodes, with a filter.
import { at, clock, make } from "./dom.js";

const RANK = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4 };

export class LogView {
  constructor() {
    this.lines = [];
    for (const id of ["level", "filter", "freeze"]) at(id).addEventListener("input", () => this.draw());
  }

  set(lines) {
    this.lines = lines;
    if (!at("freeze").checked) this.draw();
  }

  draw() {
    const least = RANK[at("level").value];
    const wanted = at("filter").value.toLowerCase();
    const shown = this.lines.filter((line) => RANK[line.level] >= least && `${line.node} ${line.text}`.toLowerCase().includes(wanted)).reverse();
    at("log").replaceChildren(...shown.map((line) => make("li", {}, make("time", { textContent: `${clock(line.time)} ` }),
      make("span", { className: line.level === "info" ? "soft" : line.level, textContent: `${line.level} ${line.node} ` }), line.text)));
    if (!shown.length) at("log").replaceChildren(make("li", { className: "soft", textContent: "nothing" }));
  }
}
