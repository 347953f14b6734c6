// SPDX-License-Identifier: Apache-2.0
// The connection to console_node: streams in, commands out, each answered.
const RETRY_MS = [300, 600, 1200, 2500];
const WRONG_TOKEN = 4401;
const ANSWER_MS = 65000;

export class Link {
  constructor() {
    this.handlers = {};
    this.waiting = new Map();
    this.number = 0;
    this.tries = 0;
    this.open = false;
    const fragment = new URLSearchParams(location.hash.slice(1));
    if (fragment.has("token")) {
      sessionStorage.setItem("token", fragment.get("token"));
      history.replaceState(null, "", location.pathname);
    }
  }

  on(kind, handler) { this.handlers[kind] = handler; }

  connect() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ do: "hello", token: sessionStorage.getItem("token") ?? "" }));
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event);
    this.socket = socket;
  }

  receive(data) {
    if (typeof data !== "string") return this.emit("picture", picture(data));
    const message = JSON.parse(data);
    if (message.is === "welcome") { this.open = true; this.tries = 0; }
    if (message.is === "answer" && this.waiting.has(message.id)) {
      this.waiting.get(message.id)(message);
      this.waiting.delete(message.id);
    }
    this.emit(message.is, message);
  }

  closed(event) {
    this.open = false;
    for (const answer of this.waiting.values()) answer({ ok: false, text: "the connection was lost" });
    this.waiting.clear();
    this.emit("lost", event);
    if (event.code === WRONG_TOKEN) return;
    setTimeout(() => this.connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
  }

  emit(kind, message) { this.handlers[kind]?.(message); }

  send(command) {
    if (!this.open) return false;
    this.socket.send(command instanceof ArrayBuffer ? command : JSON.stringify(command));
    return true;
  }

  // Resolves to {ok, text}.
  ask(command) {
    return new Promise((resolve) => {
      const id = ++this.number;
      if (!this.send({ ...command, id })) { resolve({ ok: false, text: "there is no connection to the console" }); return; }
      this.waiting.set(id, resolve);
      setTimeout(() => { if (this.waiting.delete(id)) resolve({ ok: false, text: "no answer" }); }, ANSWER_MS);
    });
  }
}

// A picture: a line of JSON, then a JPEG.
function picture(data) {
  const bytes = new Uint8Array(data);
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  return { ...head, jpeg: new Blob([bytes.subarray(end + 1)], { type: "image/jpeg" }) };
}
