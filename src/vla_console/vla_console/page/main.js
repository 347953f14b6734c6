// SPDX-License-Identifier: Apache-2.0
// Wires the page: streams to panels, buttons and keys to commands.
import { Cameras } from "./cameras.js";
import { LatencyChart } from "./chart.js";
import { at, make, notice, show } from "./dom.js";
import { Drive, isText } from "./drive.js";
import { Goal } from "./goal.js";
import { Link } from "./link.js";
import { LogView } from "./log.js";
import * as panels from "./panels.js";
import { Talk } from "./talk.js";

const link = new Link();
const cameras = new Cameras(link);
const chart = new LatencyChart();
const drive = new Drive(link);
const log = new LogView();
const talk = new Talk(link);
const goal = new Goal(command);
let about = null;
let role = "";
let offers = [];
let given = [];

// Theme: the system's until the person chooses

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => { document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"); };
dark.addEventListener("change", setTheme);
at("theme").onclick = () => { localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark"); setTheme(); };
setTheme();

// Commands

async function command(body, label) {
  const answer = await link.ask(body);
  if (label || !answer.ok) notice(answer.ok ? `${label}: ${answer.text}` : answer.text, answer.ok ? 4000 : 9000);
  return answer;
}

function stop() {
  drive.arm(false);
  command({ do: "stop" }, "Stop");
}

at("stop").onclick = stop;
at("estop").onclick = () => { drive.arm(false); command({ do: "estop" }, "Emergency stop"); };
at("reset").onclick = () => command({ do: "reset" }, "Reset");
at("home").onclick = () => command({ do: "home" }, "Home");
for (const name of ["record_start", "record_stop", "record_success", "record_failure", "record_discard"]) at(name).onclick = () => command({ do: name }, "Recording");
for (const name of ["yes", "no"]) at(name).onclick = () => command({ do: name }, "Answer");

at("say").onsubmit = async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (text && (await command({ do: "say", text }, "Instruction")).ok) at("text").value = "";
};

at("text").addEventListener("keydown", (event) => { // arrow up: what was said before
  if (event.key !== "ArrowUp" || !given.length) return;
  const texts = given.map((one) => one.text).reverse();
  at("text").value = texts[(texts.indexOf(at("text").value) + 1) % texts.length];
  event.preventDefault();
});

at("ask").onsubmit = async (event) => {
  event.preventDefault();
  const text = at("question").value.trim();
  if (!text) return;
  const row = make("li", {}, make("b", { textContent: `${text} ` }), make("span", { className: "soft", textContent: "…" }));
  at("answers").prepend(row);
  const answer = await link.ask({ do: "ask", text });
  row.lastChild.textContent = answer.text;
  row.lastChild.className = answer.ok ? "" : "warn";
};

// Space and Escape stop, in the capture phase: no button gets the space. In a text field a space is a space.

window.addEventListener("keydown", (event) => {
  const stops = event.code === "Escape" || (event.code === "Space" && !isText(event.target));
  if (!stops || at("login").open) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!event.repeat) stop();
}, true);
window.addEventListener("keyup", (event) => { if (event.code === "Space" && !isText(event.target)) { event.preventDefault(); event.stopImmediatePropagation(); } }, true);

// Streams

link.on("welcome", (message) => {
  role = message.role;
  at("banner").hidden = true;
  show(at("who"), role === "operate" ? "you operate" : "you watch");
  for (const element of document.querySelectorAll("main button, main input[type=text]")) element.disabled = role !== "operate";
  if (role === "operate") drive.arm(false);
});

link.on("about", (message) => { about = message; show(at("robot"), `${message.robot}${message.namespace === "/" ? "" : ` ${message.namespace}`}`); });

link.on("state", (state) => {
  cameras.state(state.cameras, state.time);
  drive.state(state.controller);
  panels.chips(state);
  panels.facts(state, given);
  panels.tokens(state.chunk);
  panels.joints(about, state.controller);
  panels.score(state);
  chart.add(state.controller, about);
  show(at("plan"), state.plan?.text ?? "none");
  if (role === "operate") panels.recording(state.recorder, offers);
  at("reset").hidden = state.controller?.state !== "estopped";
  at("asked").hidden = !state.question;
  show(at("asked-text"), state.question ?? "");
  const heard = state.utterance;
  at("heard").hidden = !heard || heard.age > 8;
  if (heard) show(at("heard"), `${heard.state}: ${heard.text}${heard.reason ? ` (${heard.reason})` : ""}`);
});

link.on("offers", (message) => {
  offers = message.actions;
  at("ask").querySelector("button").disabled = role !== "operate" || !offers.includes("ask");
  at("question").placeholder = offers.includes("ask") ? "what is on the table?" : "policy:=rt2 answers questions";
  goal.offer(offers.includes("goal"), role === "operate");
  talk.offer(message.speech && role === "operate");
});
link.on("history", (message) => { given = message.rows; panels.history(given, (text) => { at("text").value = text; at("text").focus(); }); });
link.on("goal", (message) => goal.set(message.status));
link.on("diagnostics", (message) => panels.diagnostics(message.rows));
link.on("log", (message) => log.set(message.rows));
link.on("picture", (picture) => cameras.draw(picture));
link.on("answer", (message) => { if (message.id === 0 && !message.ok) drive.problem(message.text); });

link.on("lost", (event) => {
  drive.arm(false);
  cameras.lost();
  show(at("who"), "not connected");
  at("banner").hidden = false;
  at("banner").textContent = "No connection: nothing here is current, and nothing here stops the arm. Use the robot's own emergency stop. Connecting again.";
  if (event.code === 4401) { at("login-note").textContent = event.reason; if (!at("login").open) at("login").showModal(); }
});
at("login").addEventListener("close", () => { sessionStorage.setItem("token", at("token").value.trim()); at("token").value = ""; link.connect(); });

link.connect();
