// SPDX-License-Identifier: Apache-2.0
// Panels that show the state: chips, facts, refusals, tokens, joints, recording.
import { at, clock, make, number, rows, show } from "./dom.js";

const SILENT_S = 2;
const KIND = { running: "ok", tracking: "ok", holding: "", idle: "", waiting: "warn", done: "ok", stopped: "warn", stopping: "warn", error: "bad", estopped: "bad" };
const WORDS = { estopped: "emergency stop", ok: "ok", warn: "warning", error: "error", stale: "silent" };
const silent = (part) => !part || part.age > SILENT_S;
const seen = new Map(); // refusals: count, and when it last rose

export function chips(state) {
  const { controller, policy } = state;
  show(at("chip-policy"), silent(policy) ? "silent" : `${policy.state} ${number(policy.rate, 1)} Hz`, silent(policy) ? "bad" : KIND[policy.state] ?? "");
  show(at("chip-controller"), silent(controller) ? "silent" : WORDS[controller.state] ?? controller.state, silent(controller) ? "bad" : KIND[controller.state] ?? "");
  const owner = silent(controller) ? "–" : controller.owner === "person" ? `person, ${controller.device}` : controller.owner;
  show(at("chip-owner"), owner, controller?.owner === "person" ? "warn" : "");
  const fresh = refusals(controller);
  show(at("chip-gate"), fresh ? `refuses: ${fresh}` : silent(controller) ? "–" : "open", fresh ? "warn" : "");
}

export function facts(state, given) {
  const { controller: c, policy: p, operator, task } = state;
  const last = given[given.length - 1];
  const lacking = last && !last.stop ? [["policy_node", p], ["controller_node", c]].filter(([, part]) => part && BigInt(part.sequence) < BigInt(last.sequence)).map(([name]) => name) : [];
  const table = [
    ["Doing", lacking.length ? `not taken by ${lacking.join(" and ")}: ${last.text}` : p?.instruction || "nothing"],
    ["Policy", p ? `${p.policy} ${p.checkpoint.split("/").pop()}` : "no report"],
    ["", p?.reason || (p ? `${number(p.inference_ms, 0)} ms inference, observation ${number(p.observation_age, 2)} s old` : "")],
    ["Confidence", p ? `${number(p.confidence, 2)} tokens, legal mass ${number(p.legal_mass, 2)}, ${p.refused} refused` : ""],
    ["Controller", c ? `${number(c.hz, 0)} Hz, tick ${number(c.tick_ms, 1)} ms, computes ${number(c.compute_ms, 1)} ms` : "no report"],
    ["", c?.reason ?? ""],
    ["Chunks", c ? `${c.chunks} accepted, ${c.late} steps late, pace ${number(c.pace, 2)}` : ""],
    ["Tool", c ? `${c.tool.map((v) => number(v, 3)).join(", ")} m, gripper ${number(c.gripper, 2)}` : ""],
    ["Stop path", silent(operator) ? "instruction_node is silent: the arm halts" : "instruction_node is there"],
    ["Task", task ? `${task.success ? "success" : "not yet"}, ${number(task.elapsed, 1)} s, real time × ${number(task.real_time_factor, 2)}` : ""],
  ].filter(([name, text], i) => text !== "" && (name || i));
  rows(at("facts"), table.length, () => make("tr", {}, make("th", { scope: "row" }), make("td")), (row, i) => {
    show(row.firstChild, table[i][0]);
    show(row.lastChild, table[i][1], table[i][0] === "Stop path" && silent(operator) ? "bad" : "");
  });
}

// Shows what the gate has refused; returns the name of a refusal that is happening now.
function refusals(controller) {
  const now = Date.now();
  let fresh = "";
  const list = controller?.refusals ?? [];
  for (const item of list) {
    const before = seen.get(item.name);
    if (!before || before.count !== item.count) seen.set(item.name, { count: item.count, at: before ? now : 0 });
    if (now - seen.get(item.name).at < 2000) fresh = item.name;
  }
  const ordered = [...list].sort((a, b) => seen.get(b.name).at - seen.get(a.name).at);
  const target = at("refusals");
  if (!ordered.length) { rows(target, 1, () => make("li"), (row) => { row.replaceChildren("nothing"); row.className = "soft"; }); return fresh; }
  rows(target, ordered.length, () => make("li"), (row, i) => {
    const text = `${ordered[i].count}× ${ordered[i].name}: ${ordered[i].reason}`;
    if (row.textContent === text) return;
    row.className = "";
    row.replaceChildren(make("span", { textContent: `${ordered[i].count}× ` }), make("span", { className: "tag", textContent: `${ordered[i].name}: ` }), ordered[i].reason);
  });
  return fresh;
}

export function tokens(chunk) {
  const count = chunk?.tokens.length ?? 0;
  at("no-tokens").hidden = count > 0;
  at("tokens").parentElement.hidden = count === 0;
  show(at("token-note"), chunk ? `chunk ${chunk.sequence}, ${chunk.steps} steps of ${number(chunk.period, 2)} s${chunk.ends ? ", ends the task" : ""}` : "");
  rows(at("tokens"), count, () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", { className: "wide" }, make("div", { className: "bar" }, make("i"), make("em")))), (row, i) => {
    show(row.children[0], chunk.names[i]);
    show(row.children[1], String(chunk.tokens[i]));
    const [fill, text] = row.querySelector(".bar").children;
    const share = chunk.probabilities[i] ?? 0;
    fill.style.width = `${100 * share}%`;
    show(text, number(share, 2));
  });
}

export function joints(about, controller) {
  if (!about || !controller) return;
  const near = 0.04;
  rows(at("joints"), about.joints.length, () => make("tr", {}, make("th", { scope: "row" }), make("td", { className: "wide" }, make("div", { className: "bar" }, make("i"), make("b"))), make("td"), make("td")), (row, i) => {
    const [low, high] = [about.lower[i], about.upper[i]];
    const place = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
    const [measured, setpoint, speed] = [controller.joints[i], controller.setpoint[i], controller.velocity[i]];
    show(row.children[0], about.joints[i]);
    const bar = row.querySelector(".bar");
    if (measured !== undefined && measured !== null) {
      bar.children[0].style.width = `${100 * place(measured)}%`;
      bar.children[1].style.left = `${100 * place(setpoint ?? measured)}%`;
      bar.classList.toggle("near", place(measured) < near || place(measured) > 1 - near);
    }
    show(row.children[2], number(measured, 2));
    show(row.children[3], `${number(100 * Math.abs(speed ?? 0) / about.speed[i], 0)} %`);
  });
}

export function score(state) {
  const { tasks, successes } = state.score;
  show(at("score"), state.task ? `${state.task.success ? "Success" : "Running"}; ${successes} of ${tasks} tasks` : "");
}

export function recording(recorder, offers) {
  const there = recorder && recorder.age < 3;
  const on = there && recorder.state === "recording";
  const text = !there ? "No recorder; it comes with ./vla up recordings:=FOLDER"
    : on ? `Recording ${recorder.episode}: ${number(recorder.duration, 1)} s, ${number(recorder.megabytes, 1)} MB, ${recorder.task || "no task yet"}`
      : `${recorder.state}${recorder.reason ? `: ${recorder.reason}` : ""}; ${recorder.episodes} saved`;
  show(at("record-note"), text + (there && recorder.dropped ? `; ${recorder.dropped} messages lost` : ""), on ? "ok" : recorder?.state === "error" ? "bad" : "");
  for (const name of ["record_start", "record_stop", "record_success", "record_failure", "record_discard"]) {
    at(name).disabled = !there || !offers.includes(name) || (name === "record_start" && on) || (name === "record_stop" && !on);
  }
}

export function history(list, choose) {
  const shown = [...list].reverse();
  rows(at("history"), shown.length, () => make("li", {}, make("button", { type: "button" }, make("time"), make("span"), make("span", { className: "is" }))), (row, i) => {
    const button = row.firstChild;
    show(button.children[0], clock(shown[i].time));
    show(button.children[1], shown[i].text);
    show(button.children[2], shown[i].stop ? "stop" : shown[i].source);
    button.onclick = () => choose(shown[i].text);
  });
}

export function diagnostics(list) {
  const worst = list[0]?.level ?? "ok";
  show(at("chip-health"), list.length ? `${WORDS[worst]}${worst === "ok" ? "" : `: ${list[0].name}`}` : "no report", { ok: "ok", warn: "warn" }[worst] ?? "bad");
  rows(at("diagnostics"), list.length, () => make("li", {}, make("span"), make("span")), (row, i) => {
    row.children[0].className = `tag ${list[i].level}`;
    show(row.children[0], WORDS[list[i].level]);
    show(row.children[1], `${list[i].name}: ${list[i].message}`);
    row.title = list[i].values.map(([key, value]) => `${key}: ${value}`).join("\n");
  });
}
