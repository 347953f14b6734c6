// SPDX-License-Identifier: Apache-2.0
// The cameras: the latest picture of each. A picture is acknowledged when it is drawn, and only then the next ones come.
import { at, make, number } from "./dom.js";

const STALE_S = 1.5;

export class Cameras {
  constructor(link) {
    this.link = link;
    this.figures = new Map();
    this.offset = Infinity; // [s] this clock minus the robot's, at the quickest message
  }

  async draw(picture) {
    try {
      const bitmap = await createImageBitmap(picture.jpeg);
      const figure = this.figure(picture.camera);
      if (figure.canvas.width !== bitmap.width) { figure.canvas.width = bitmap.width; figure.canvas.height = bitmap.height; }
      figure.canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
      figure.drawn = Date.now() / 1000;
      figure.age = figure.drawn - this.offset - picture.stamp;
    } finally {
      this.link.send({ do: "seen", camera: picture.camera });
    }
  }

  state(cameras, time) {
    const now = Date.now() / 1000;
    if (time) this.offset = Math.min(this.offset + 1e-4, now - time);
    const names = new Set(cameras.map((camera) => camera.name));
    for (const [name, figure] of this.figures) {
      if (!names.has(name)) { figure.element.remove(); this.figures.delete(name); }
    }
    for (const camera of cameras) {
      const figure = this.figure(camera.name);
      const stale = camera.age > STALE_S || now - figure.drawn > STALE_S;
      figure.element.classList.toggle("stale", stale);
      const delay = Number.isFinite(figure.age) && Math.abs(figure.age) < 10 ? `, ${number(1000 * figure.age, 0)} ms old` : "";
      figure.note.textContent = camera.problem || (stale ? `no picture for ${number(camera.age, 1)} s` : `${number(camera.hz, 1)} Hz${delay}`);
    }
    at("no-camera").hidden = this.figures.size > 0;
  }

  lost() { for (const figure of this.figures.values()) { figure.element.classList.add("stale"); figure.note.textContent = "no connection"; } this.offset = Infinity; }

  figure(name) {
    if (!this.figures.has(name)) {
      const canvas = make("canvas", { width: 320, height: 240 });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Picture of ${name}`);
      const note = make("span");
      const element = make("figure", {}, canvas, make("figcaption", {}, make("span", { textContent: name }), note));
      at("cameras").append(element);
      this.figures.set(name, { element, canvas, note, drawn: 0, age: NaN });
    }
    return this.figures.get(name);
  }
}
