// Tells the values under the pointer; the page says everything without it.
(() => {
  const readout = document.createElement("div");
  readout.id = "readout";
  document.body.append(readout);
  const hide = (hair) => { readout.style.display = "none"; hair.setAttribute("d", ""); };
  for (const chart of document.querySelectorAll("svg.chart")) {
    const series = [...chart.querySelectorAll("g.series")].map((group) => ({
      name: group.dataset.name,
      points: group.dataset.points.split(";").map((point) => {
        const [x, y, told, at] = point.split("|");
        return { x: +x, y: +y, told, at };
      }),
    }));
    if (!series.length) continue;
    const title = chart.querySelector("title");
    chart.setAttribute("aria-label", title.textContent);
    for (const tip of [title, ...chart.querySelectorAll(".series title")]) tip.remove();
    const hair = document.createElementNS("http://www.w3.org/2000/svg", "path");
    hair.setAttribute("class", "hair");
    chart.append(hair);
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(chart.getScreenCTM().inverse());
      const near = series.map(({ name, points }) => ({
        name,
        ...points.reduce((best, point) =>
          Math.abs(point.x - at.x) < Math.abs(best.x - at.x) ? point : best),
      }));
      const { x, at: where } = near.reduce((best, point) =>
        Math.abs(point.x - at.x) < Math.abs(best.x - at.x) ? point : best);
      const shown = near.filter((point) => Math.abs(point.x - x) < 12);
      hair.setAttribute("d", shown.map(({ x, y }) =>
        `M${x - 6} ${y}h12M${x} ${y - 6}v12`).join(""));
      readout.textContent = [where, ...shown.map(({ name, told }) => `${name}: ${told}`)].join("\n");
      readout.style.display = "block";
      const right = event.clientX + 16 + readout.offsetWidth > innerWidth;
      readout.style.left = `${Math.max(4, event.clientX + (right ? -16 - readout.offsetWidth : 16))}px`;
      readout.style.top = `${Math.max(4, event.clientY - readout.offsetHeight - 10)}px`;
    });
    chart.addEventListener("pointerleave", () => hide(hair));
  }
})();
