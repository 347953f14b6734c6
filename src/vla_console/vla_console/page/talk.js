// SPDX-License-Identifier: Apache-2.0
// Push-to-talk: the microphone's sound to speech_node while the button is held, 16 kHz where the browser can.
import { at, notice } from "./dom.js";

export class Talk {
  constructor(link) {
    this.link = link;
    this.talking = false;
    const button = at("talk");
    button.addEventListener("pointerdown", (event) => { button.setPointerCapture(event.pointerId); this.begin(); });
    for (const kind of ["pointerup", "pointercancel", "blur"]) button.addEventListener(kind, () => this.end());
    button.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.repeat) this.begin(); });
    button.addEventListener("keyup", (event) => { if (event.key === "Enter") this.end(); });
  }

  offer(speech) { at("talk").hidden = !speech || !navigator.mediaDevices; }

  async begin() {
    this.talking = true;
    at("talk").setAttribute("aria-pressed", "true");
    try {
      if (!this.context) await this.open();
    } catch (error) {
      this.end();
      notice(`The microphone cannot be used: ${error.message}`);
    }
  }

  async open() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
    const context = new AudioContext({ sampleRate: 16000 });
    await context.audioWorklet.addModule("capture.js");
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    capture.port.onmessage = (event) => { if (this.talking) this.send(event.data, true); };
    context.createMediaStreamSource(stream).connect(capture);
    this.context = context;
  }

  end() {
    if (!this.talking) return;
    this.talking = false;
    at("talk").setAttribute("aria-pressed", "false");
    this.send(new Int16Array(0), false);
  }

  send(samples, talking) {
    const message = new ArrayBuffer(8 + samples.byteLength);
    new Uint32Array(message, 0, 2).set([this.context?.sampleRate ?? 16000, talking ? 1 : 0]);
    new Int16Array(message, 8).set(samples);
    this.link.send(message);
  }
}
