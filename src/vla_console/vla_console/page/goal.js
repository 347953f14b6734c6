// SPDX-License-Identifier: Apache-2.0
// A goal of several steps: one box that begins it, and while it runs tells the planner what to change or answers it.
import { at, make, number, rows, show } from "./dom.js";

const KIND = { active: "", planned: "soft", done: "ok", failed: "bad", dropped: "soft" };
const OVER = ["idle", "finished"];

export class Goal {
  constructor(command) {
    this.command = command;
    this.open = false;
    at("goal").onsubmit = (event) => { event.preventDefault(); this.send(event.submitter === at("goal-start")); };
  }

  async send(anew) {
    const text = at("goal-text").value.trim();
    const begins = anew || !this.open;
    if (text && (await this.command({ do: begins ? "goal" : "tell", text }, begins ? "Goal" : "Told")).ok) at("goal-text").value = "";
  }

  offer(there, operates) {
    if (there) at("goal-card").hidden = false;
    for (const name of ["goal-start", "goal-tell"]) at(name).disabled = !there || !operates;
  }

  set(status) {
    if (!status) return;
    at("goal-card").hidden = false;
    this.open = !OVER.includes(status.state) && !status.silent;
    at("goal-tell").hidden = !this.open;
    show(at("goal-tell"), status.question ? "Answer" : "Tell");
    show(at("goal-start"), this.open ? "New goal" : "Start");
    at("goal-start").classList.toggle("primary", !this.open);
    at("goal-text").placeholder = this.open ? "not that one; also the blue one; why?" : "put everything but the red block in the bowl";
    show(at("goal-note"), status.silent ? "planner_node is silent" : note(status), status.silent ? "bad" : "");
    text("goal-now", status.goal);
    text("goal-question", this.open ? status.question : "");
    text("goal-say", status.say);
    text("goal-end", status.end && `${status.end}${status.why ? `: ${status.why}` : ""}`, status.end === "finished" ? "ok" : "warn");
    steps(status);
  }
}

function note(status) {
  const parts = [status.planner, status.end || status.state];
  if (status.replans) parts.push(`${status.replans} new plans`);
  if (status.decision_time !== null) parts.push(`${number(status.decision_time, 2)} s a decision`);
  if (status.cost) parts.push(`${number(status.cost, 4)} USD`);
  return parts.join(", ");
}

function text(id, words, kind) {
  at(id).hidden = !words;
  show(at(id), words, kind);
}

function steps(status) {
  rows(at("goal-steps"), status.steps.length, () => make("li", {}, make("span"), make("span"), make("span", { className: "soft" })), (row, i) => {
    const step = status.steps[i];
    const again = step.attempt > 1 ? ` (attempt ${step.attempt})` : "";
    const sure = step.confidence === null ? "" : ` ${Math.round(100 * step.confidence)} % sure`;
    row.children[0].className = `tag ${KIND[step.state] ?? ""}`;
    show(row.children[0], step.state);
    show(row.children[1], `${status.first + i}. ${step.text}${again}`);
    show(row.children[2], `${step.reason ? `: ${step.reason}` : ""}${sure}`);
  });
}
