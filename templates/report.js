"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const table = $("layers");
  const bodies = table ? [...table.tBodies] : [];
  const drawing = document.querySelector("svg");
  let printing = false;

  const element = (tag, attributes, text) => {
    const made = document.createElementNS(drawing.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const draw = (index) => {
    const chart = data.charts[index];
    if (!chart) return null;
    const size = { class: "chart", viewBox: data.canvas, role: "img", "aria-label": chart.label };
    const svg = element("svg", size);
    for (const [css, d] of chart.paths) svg.append(element("path", { class: css, d }));
    for (const [css, x, y, text] of [...data.axes, ...chart.texts]) svg.append(element("text", { class: css, x, y }, text));
    return svg;
  };
  const fill = (place, index) => {
    if (place.querySelector(".chart")) return;
    const svg = draw(index);
    if (svg) place.prepend(svg);
  };

  // Spectra are drawn when a reader first opens a layer, or a finding beyond the first ones.
  document.addEventListener("toggle", (event) => {
    if (!event.target.open || printing) return;
    const body = event.target.closest("tbody");
    if (body && event.target.parentNode.scope === "row") fill(body.rows[1].cells[0], bodies.indexOf(body));
    for (const place of event.target.querySelectorAll("[data-chart]")) fill(place, place.dataset.chart);
  }, true);

  addEventListener("beforeprint", () => {
    printing = true;
    for (const place of document.querySelectorAll("[data-chart]")) fill(place, place.dataset.chart);
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.dataset.shut = "";
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("details[data-shut]")) {
      delete details.dataset.shut;
      details.open = false;
    }
    setTimeout(() => { printing = false; });
  });

  if (!table) return;
  const columns = data.columns;
  const heads = [...table.tHead.rows[0].cells];
  let key = "index";
  let down = false;

  const show = () => {
    const text = $("filter").value.toLowerCase();
    const state = $("state").value;
    let shown = 0;
    bodies.forEach((body, index) => {
      const words = `${columns.name[index]} ${columns.kind[index]} ${columns.phase[index] ?? ""} ${columns.findings[index] ?? ""}`;
      body.hidden = !(words.toLowerCase().includes(text) && (!state || body.dataset.state === state));
      shown += !body.hidden;
    });
    $("shown").textContent = `${shown} of ${bodies.length} layers`;
    const order = bodies.map((body, index) => [columns[key]?.[index] ?? null, index, body]);
    order.sort(([a, i], [b, j]) => {
      if (a === b) return i - j;
      if (a === null || b === null) return a === null ? 1 : -1;  // undefined stays at the end
      return (a < b ? -1 : 1) * (down ? -1 : 1);
    });
    table.append(...order.map((item) => item[2]));
    for (const head of heads) {
      if (head.dataset.key !== key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", down ? "descending" : "ascending");
    }
  };
  const remember = () => {
    const state = new URLSearchParams();
    if ($("filter").value) state.set("q", $("filter").value);
    if ($("state").value) state.set("show", $("state").value);
    if (key !== "index" || down) state.set("sort", (down ? "-" : "") + key);
    history.replaceState(null, "", `#${state}`);
    show();
  };
  const recall = () => {
    const hash = location.hash.slice(1);
    const target = hash.includes("=") ? null : $(hash);
    if (target) {  // a link to a layer or a finding opens it
      target.hidden = false;
      const details = target.matches("details") ? target : target.querySelector("details");
      if (details) details.open = true;
      return;
    }
    const state = new URLSearchParams(hash);
    const sort = state.get("sort") ?? "index";
    const wanted = sort.replace(/^-/, "");
    $("filter").value = state.get("q") ?? "";
    $("state").value = state.get("show") ?? "";
    if ($("state").selectedIndex < 0) $("state").value = "";
    key = heads.some((head) => head.dataset.key === wanted) ? wanted : "index";
    down = sort.startsWith("-");
    show();
  };
  const csv = () => {
    const quoted = (value) => {
      if (typeof value === "number") return value;
      const text = String(value ?? "");
      return `"${(/^[=+\-@\t\r\n]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
    };
    const names = Object.keys(columns);
    const lines = bodies.map((_, index) => names.map((name) => quoted(columns[name][index])).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([[names.join(","), ...lines, ""].join("\r\n")], { type: "text/csv" }));
    link.download = "layers.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      down = head.dataset.key === key && !down;
      key = head.dataset.key;
      remember();
    });
    head.replaceChildren(button);
  }
  $("filter").addEventListener("input", remember);
  $("state").addEventListener("input", remember);
  $("csv").addEventListener("click", csv);
  $("tools").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  $("tools").hidden = false;
  show();
  recall();
})();
