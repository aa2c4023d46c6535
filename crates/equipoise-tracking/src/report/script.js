"use strict";
// Shows the values under the pointer. The drawings are complete without it.
for (const plot of document.querySelectorAll(".plot")) {
  const { segments, lines } = JSON.parse(plot.dataset.chart);
  const svg = plot.querySelector("svg");
  const box = svg.viewBox.baseVal;
  const over = document.createElement("div");
  const tip = document.createElement("div");
  const make = (name) => svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  const rule = make("line");
  const dots = lines.map((line) => {
    const dot = make("circle");
    dot.setAttribute("class", "dot c" + line.colour);
    dot.setAttribute("r", 3.2);
    return dot;
  });
  over.className = "over";
  tip.className = "tip";
  rule.setAttribute("class", "rule");
  plot.append(over, tip);
  const hide = () => [tip, rule, ...dots].forEach((part) => (part.style.display = "none"));
  const nearest = (points, x) => {
    let low = 0;
    let high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][1] < x) low = middle;
      else high = middle;
    }
    const [a, b] = [points[low], points[high]];
    return a && (Math.abs(a[1] - x) <= Math.abs(b[1] - x) ? a : b);
  };
  const show = (event) => {
    const rect = over.getBoundingClientRect();
    const scale = box.width / rect.width;
    const x = (event.clientX - rect.left) * scale;
    const found = lines.map((line) => nearest(line.points, x));
    const near = found.filter(Boolean).sort((a, b) => Math.abs(a[1] - x) - Math.abs(b[1] - x))[0];
    if (!near) return hide();
    tip.replaceChildren();
    const place = document.createElement("span");
    place.textContent = `${segments[near[0]]} step ${near[3]}`.trim();
    tip.append(place);
    lines.forEach((line, index) => {
      const point = found[index];
      const here = point && Math.abs(point[1] - near[1]) < 3;
      dots[index].style.display = here ? "" : "none";
      if (!here) return;
      dots[index].setAttribute("cx", point[1]);
      dots[index].setAttribute("cy", point[2]);
      const row = document.createElement("div");
      const value = document.createElement("b");
      value.textContent = point[4];
      value.style.color = "var(--c" + line.colour + ")";
      row.append(value, lines.length > 1 ? " " + line.name : "");
      tip.append(row);
    });
    rule.style.display = "";
    rule.setAttribute("x1", near[1]);
    rule.setAttribute("x2", near[1]);
    rule.setAttribute("y1", 4);
    rule.setAttribute("y2", box.height - 24);
    tip.style.display = "";
    const left = near[1] / scale;
    const onRight = left + 14 + tip.offsetWidth <= rect.width;
    tip.style.left = Math.max(0, onRight ? left + 12 : left - 12 - tip.offsetWidth) + "px";
    tip.style.top = "8px";
  };
  over.addEventListener("pointermove", show);
  over.addEventListener("pointerdown", show);
  over.addEventListener("pointerleave", hide);
  hide();
}
