// SPDX-License-Identifier: Apache-2.0
// The arm by hand: keys, gamepad and two pads on the screen. Each has a deadman; without one that is held nothing is sent that moves.
import { at, number, show } from "./dom.js";

const PERIOD_MS = 40;
const REST_MS = 200; // between two messages while the deadman is open
const DEAD_ZONE = 0.12;
const KEYS = { // axis, direction; as in config/teleop/keyboard.yaml
  KeyW: [0, 1], KeyS: [0, -1], KeyA: [1, 1], KeyD: [1, -1], KeyR: [2, 1], KeyF: [2, -1],
  KeyU: [3, 1], KeyO: [3, -1], KeyI: [4, 1], KeyK: [4, -1], KeyJ: [5, 1], KeyL: [5, -1],
};
const HELP = "Hold a pad; or hold Shift with W S A D R F, U O I K J L; or a gamepad's left shoulder button. Let go and the arm stops.";

export class Drive {
  constructor(link) {
    this.link = link;
    this.armed = false;
    this.keys = new Set();
    this.shift = false;
    this.pads = [new Pad(at("pad-xy"), this), new Pad(at("pad-z"), this)];
    this.gripper = null;
    this.held = false;
    this.sent = 0;
    at("arm").onclick = () => this.arm(!this.armed);
    at("grip").onclick = () => this.grip();
    window.addEventListener("keydown", (event) => this.key(event, true));
    window.addEventListener("keyup", (event) => this.key(event, false));
    window.addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.release(); });
    this.arm(false);
  }

  state(controller) { this.controller = controller; }

  arm(on) {
    this.armed = on && this.link.open;
    this.release();
    at("arm").setAttribute("aria-pressed", String(this.armed));
    show(at("arm"), this.armed ? "Give it back" : "Take control");
    for (const id of ["pad-xy", "pad-z"]) at(id).classList.toggle("off", !this.armed);
    at("grip").disabled = !this.armed;
    show(at("hand-note"), HELP, "");
    clearInterval(this.timer);
    if (!this.armed) return;
    this.sent = -Infinity;
    this.send(false, [0, 0, 0, 0, 0, 0]); // the deadman is open when its device appears, or it would not count
    this.timer = setInterval(() => this.tick(), PERIOD_MS);
  }

  // Opens every deadman, and says so at once.
  release() {
    this.keys.clear();
    this.shift = false;
    for (const pad of this.pads) pad.release();
    if (this.held) this.send(false, [0, 0, 0, 0, 0, 0]);
    at("h-hand").parentElement.classList.remove("driving");
  }

  grip() {
    const now = this.gripper ?? this.controller?.gripper ?? 1;
    this.gripper = now > 0.5 ? 0 : 1;
  }

  key(event, down) {
    if (!this.armed || isText(event.target)) return;
    this.shift = event.shiftKey;
    if (event.code === "KeyG" && down && !event.repeat) this.grip();
    if (!(event.code in KEYS)) return;
    if (down && !event.ctrlKey && !event.metaKey && !event.altKey) { this.keys.add(event.code); event.preventDefault(); } else this.keys.delete(event.code);
  }

  tick() {
    const axes = [0, 0, 0, 0, 0, 0];
    const pad = gamepad();
    let held = this.shift || this.pads.some((one) => one.held);
    if (this.shift) for (const code of this.keys) axes[KEYS[code][0]] += KEYS[code][1];
    add(axes, this.pads[0].held ? [-this.pads[0].y, -this.pads[0].x, 0, 0, 0, 0] : []);
    add(axes, this.pads[1].held ? [0, 0, -this.pads[1].y, 0, 0, -this.pads[1].x] : []);
    if (pad?.held) { held = true; add(axes, pad.axes); }
    if (pad?.pressed) this.grip();
    const speed = at("speed").value / 100;
    this.send(held, axes.map((value) => speed * Math.max(-1, Math.min(1, value))));
    this.note(held);
  }

  send(held, axes) {
    const now = performance.now();
    if (!held && !this.held && now - this.sent < REST_MS) return;
    this.held = held;
    this.sent = now;
    this.link.send({ do: "drive", held, linear: axes.slice(0, 3), angular: axes.slice(3), frame: at("frame").value, gripper: held ? this.gripper : null, at: now / 1000 });
  }

  note(held) {
    at("h-hand").parentElement.classList.toggle("driving", held);
    const c = this.controller;
    if (!held) { show(at("hand-note"), HELP, ""); return; }
    const mine = c?.owner === "person";
    show(at("hand-note"), mine ? `You have the arm: ${c.tool.map((v) => number(v, 3)).join(", ")} m${c.reason ? `; ${c.reason}` : ""}` : `Held, and the arm does not follow: ${c?.reason || "waiting for the controller"}`, mine ? "ok" : "warn");
  }

  problem(text) { show(at("hand-note"), text, "bad"); }
}

class Pad {
  constructor(element, drive) {
    Object.assign(this, { element, held: false, x: 0, y: 0, pointer: null });
    element.addEventListener("pointerdown", (event) => {
      if (!drive.armed) { drive.problem("Take control first."); return; }
      element.setPointerCapture(event.pointerId);
      this.pointer = event.pointerId;
      this.held = true;
      this.move(event);
    });
    element.addEventListener("pointermove", (event) => { if (this.held && event.pointerId === this.pointer) this.move(event); });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(kind, () => { this.release(); drive.tick(); });
  }

  move(event) {
    const box = this.element.getBoundingClientRect();
    const radius = box.width / 2;
    let [x, y] = [(event.clientX - box.left - radius) / radius, (event.clientY - box.top - radius) / radius];
    const length = Math.max(1, Math.hypot(x, y));
    [x, y] = [x / length, y / length];
    [this.x, this.y] = [zone(x), zone(y)];
    this.element.classList.add("held");
    this.element.firstChild.style.transform = `translate(${x * radius * 0.7}px, ${y * radius * 0.7}px)`;
  }

  release() {
    this.held = false;
    this.x = this.y = 0;
    this.element.classList.remove("held");
    this.element.firstChild.style.transform = "";
  }
}

const zone = (value) => (Math.abs(value) < DEAD_ZONE ? 0 : (value - Math.sign(value) * DEAD_ZONE) / (1 - DEAD_ZONE));
const add = (axes, more) => more.forEach((value, i) => { axes[i] += value; });
export const isText = (element) => element instanceof HTMLElement && (element.isContentEditable || element.matches("input[type=text], input[type=search], input[type=password], textarea"));

let before = false;
function gamepad() { // the standard layout: left shoulder holds; sticks and triggers as in config/teleop/gamepad.yaml
  const pad = [...(navigator.getGamepads?.() ?? [])].find((one) => one?.connected && one.mapping === "standard");
  if (!pad) return null;
  const [lx, ly, rx, ry] = pad.axes.map(zone);
  const value = (i) => pad.buttons[i]?.value ?? 0;
  const pressed = Boolean(pad.buttons[0]?.pressed) && !before;
  before = Boolean(pad.buttons[0]?.pressed);
  return { held: Boolean(pad.buttons[4]?.pressed), pressed, axes: [-ly, -lx, value(7) - value(6), value(15) - value(14), -ry, -rx] };
}
