// SPDX-License-Identifier: Apache-2.0
// Collects the microphone's samples into pieces of 100 ms.
class Capture extends AudioWorkletProcessor {
  constructor() { super(); this.piece = new Int16Array(Math.round(sampleRate / 10)); this.filled = 0; }

  process(inputs) {
    for (const value of inputs[0]?.[0] ?? []) {
      this.piece[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(32767 * value)));
      if (this.filled === this.piece.length) { this.port.postMessage(this.piece.slice()); this.filled = 0; }
    }
    return true;
  }
}
registerProcessor("capture", Capture);
