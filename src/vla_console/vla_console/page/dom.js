// SPDX-License-Identifier: Apache-2.0
// Elements from data. Text is only ever set as text: nothing that the graph or a person says is read as HTML.
export const at = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function show(element, text, kind) {
  if (element.textContent !== text) element.textContent = text;
  if (element.title !== text && element.classList.contains("chip")) element.title = text;
  if (kind !== undefined && element.dataset.kind !== kind) {
    element.classList.remove("ok", "warn", "bad");
    if (kind) element.classList.add(kind);
    element.dataset.kind = kind;
  }
}

// Makes as many children of `list` as there are rows, and lets `fill` set what a child shows.
export function rows(list, count, create, fill) {
  while (list.children.length > count) list.lastChild.remove();
  while (list.children.length < count) list.append(create());
  for (let i = 0; i < count; i++) fill(list.children[i], i);
}

export const number = (value, digits = 2, unit = "") => (value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`);
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

let timer = 0;
export function notice(text, ms = 5000) {
  const element = at("notice");
  element.textContent = text.length > 400 ? `${text.slice(0, 400)}…` : text;
  element.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { element.hidden = true; }, ms);
}
