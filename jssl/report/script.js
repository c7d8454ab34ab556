"use strict";

function read(holder) {
  return JSON.parse(holder.querySelector("script[type='application/json']").textContent);
}

// Pointer to the drawing's own coordinates, whatever size it is shown at.
function locate(svg, event) {
  const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
  return [(event.clientX - box.left) / box.width * view.width, (event.clientY - box.top) / box.height * view.height];
}

function nearest(count, distance) {
  let best = -1, least = Infinity;
  for (let i = 0; i < count; i++) {
    const d = distance(i);
    if (d < least) { least = d; best = i; }
  }
  return [best, least];
}

function say(value, percent) {
  if (percent) return (100 * value).toFixed(1) + " %";
  return Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

function followPointer(target, show, hide) {
  target.addEventListener("pointermove", show);
  target.addEventListener("pointerdown", show);
  target.addEventListener("pointerleave", hide);
}

function chartPlot(plot) {
  const figure = plot.closest(".chart"), svg = plot.querySelector("svg"), data = read(plot);
  const cursor = svg.querySelector(".cursor"), words = cursor.querySelector("text");
  const guide = cursor.querySelector("line"), dot = cursor.querySelector("circle");
  followPointer(svg, (event) => {
    const [x] = locate(svg, event);
    const [i] = nearest(data.x.length, (k) => data.values[k] === null ? Infinity : Math.abs(data.x[k] - x));
    if (i < 0) return;
    const heights = figure.classList.contains("as-log") ? data.log : data.linear;
    guide.setAttribute("x1", data.x[i]);
    guide.setAttribute("x2", data.x[i]);
    dot.setAttribute("cx", data.x[i]);
    dot.setAttribute("cy", heights[i]);
    cursor.style.visibility = "visible";
    words.textContent = "step " + data.steps[i].toLocaleString("en") + ": " + say(data.values[i], data.percent);
    words.setAttribute("x", data.x[i]);
    const share = data.x[i] / svg.viewBox.baseVal.width;
    words.setAttribute("text-anchor", share < .3 ? "start" : share > .7 ? "end" : "middle");
  }, () => {
    cursor.style.visibility = "hidden";
  });
}

function logToggle(button) {
  button.addEventListener("click", () => {
    const on = button.closest(".chart").classList.toggle("as-log");
    button.setAttribute("aria-pressed", String(on));
  });
}

function embeddingMap(map) {
  const svg = map.querySelector("svg"), data = read(map), card = map.querySelector(".card");
  const here = svg.querySelector(".here"), words = card.querySelector("p"), tile = card.querySelector(".tile");
  const hidden = new Set(), rest = words.textContent;
  followPointer(svg, (event) => {
    const [x, y] = locate(svg, event);
    const [i, squared] = nearest(data.x.length, (k) =>
      data.label && hidden.has(data.label[k]) ? Infinity : (data.x[k] - x) ** 2 + (data.y[k] - y) ** 2);
    if (i < 0 || squared > 900) return;
    here.setAttribute("cx", data.x[i]);
    here.setAttribute("cy", data.y[i]);
    here.style.visibility = "visible";
    words.textContent = (data.label ? data.names[data.label[i]] + ", " : "") + (data.texts[i] || "test example " + i);
    if (tile) showTile(tile, data.sheet, i);
    card.classList.add("full");
  }, () => {
    here.style.visibility = "hidden";
    card.classList.remove("full");
    words.textContent = rest;
  });
  for (const button of map.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const name = Number(button.dataset.class), off = !hidden.has(name);
      if (off) hidden.add(name); else hidden.delete(name);
      button.setAttribute("aria-pressed", String(!off));
      svg.querySelector(`.cloud[data-class="${name}"]`).classList.toggle("off", off);
    });
  }
}

function showTile(tile, [columns, rows], index) {
  const place = (at, count) => count > 1 ? 100 * at / (count - 1) + "%" : "0";
  tile.style.backgroundPosition = place(index % columns, columns) + " " + place(Math.floor(index / columns), rows);
}

function copyButton(button) {
  button.addEventListener("click", () => {
    const code = button.parentElement.querySelector("code"), range = document.createRange();
    // A page opened from disk may lack the clipboard: the text is then selected, ready to be copied.
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    navigator.clipboard?.writeText(code.textContent).then(() => { button.textContent = "copied"; }, () => {});
  });
}

document.querySelectorAll(".plot").forEach(chartPlot);
document.querySelectorAll(".toggle").forEach(logToggle);
document.querySelectorAll(".map").forEach(embeddingMap);
document.querySelectorAll(".copy").forEach(copyButton);
