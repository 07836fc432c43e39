// The sequence chart of a case, as SVG: a line for each device, and one for
// the server in their middle, time going down.

const SVG = "http://www.w3.org/2000/svg";
const TOP = 62, ROW = 34, SMALL_ROW = 26, GUTTER = 40, LANE_MIN = 86;

function svg(name, attributes, ...children) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) {
    e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

// Devices left and right of the server, in the scenario's order.
function lanesOf(item, width) {
  const names = item.devices.map(d => d.name);
  const left = Math.ceil(names.length / 2);
  const order = [...names.slice(0, left), null, ...names.slice(left)];
  const step = Math.max(LANE_MIN, (width - GUTTER) / order.length);
  const x = new Map();
  order.forEach((name, i) => x.set(name, GUTTER + step * (i + 0.5)));
  return {order, x, step, width: GUTTER + step * order.length};
}

function shorten(text, pixels) {
  const most = Math.max(4, Math.floor(pixels / 6.9));
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

function lanes(chart, item, role, height) {
  const group = svg("g", {class: "lanes"});
  for (const name of chart.order) {
    const device = item.devices.find(d => d.name === name);
    const x = chart.x.get(name);
    const tested = role === "pair" ||
      (role === "server") === (name === null);
    const sub = device ? [device.user, device.type].filter(Boolean).join(" · ")
                       : "";
    group.append(
      svg("line", {x1: x, x2: x, y1: TOP - 10, y2: height - 8}),
      svg("rect", {x: x - chart.step / 2 + 4, y: 8, width: chart.step - 8,
        height: 42, rx: 7, class: tested ? "tested" : ""}),
      svg("text", {x, y: 26, class: "lane"},
        shorten(name === null ? "server" : name, (chart.step - 14))),
      svg("text", {x, y: 41, class: "sub"},
        shorten(tested ? "under test" + (sub ? " · " + sub : "") : sub || "harness",
          (chart.step - 12) * 1.1)));
  }
  return group;
}

// Label of an arrow: the frame's name, and what fits of its fields.
function label(view, from, to, y, width) {
  const start = Math.min(from, to) + 8;
  const text = svg("text", {x: start, y: y - 6, class: "label"});
  const name = svg("tspan", {class: "name"}, view.name);
  const room = width - start - 8 - view.name.length * 7.4;
  text.append(name);
  if (room > 40 && view.line) {
    text.append(svg("tspan", {class: "args", dx: 6}, shorten(view.line, room)));
  }
  return text;
}

function arrow(from, to, y) {
  const way = to > from ? 1 : -1;
  const tip = to - way * 2;
  return [
    svg("line", {x1: from, x2: tip, y1: y, y2: y, class: "shaft"}),
    svg("path", {d: `M${tip - way * 8} ${y - 4.5}L${tip} ${y}L${tip - way * 8} ${y + 4.5}Z`,
      class: "tip"}),
  ];
}

function drawEvent(chart, view, y) {
  const e = view.event;
  const device = chart.x.get(e.device === undefined ? null : e.device);
  const server = chart.x.get(null);
  const group = svg("g", {
    class: `event ${e.kind}${view.failed ? " failed" : ""}`,
    role: "button", tabindex: "-1", "aria-label": view.spoken,
  });
  group.append(svg("rect", {x: GUTTER - 4, y: y - ROW / 2 - 7,
    width: chart.width - GUTTER, height: ROW - 2, rx: 5, class: "hit"}));
  if (e.kind === "note") {
    const x = e.device === undefined ? GUTTER + 4 : device + 8;
    group.append(svg("text", {x, y, class: "note"},
      shorten(view.name, chart.width - x - 8)));
    if (e.device !== undefined) {
      group.append(svg("circle", {cx: device, cy: y - 4, r: 3.5, class: "dot"}));
    }
    return group;
  }
  const [from, to] = e.to === "server" ? [device, server] : [server, device];
  group.append(...arrow(from, to, y), label(view, from, to, y, chart.width));
  if (view.failed) {
    group.append(svg("text", {x: Math.max(from, to) + 6, y: y + 4,
      class: "cross"}, "✗"));
  }
  return group;
}

// Where nothing came that should have: behind the last event.
function missing(chart, item, y) {
  const f = item.failure;
  const text = svg("text", {x: GUTTER + 24, y: y + 4, class: "missing"},
    shorten(f.what.split("\n")[0], chart.width - GUTTER - 40));
  return svg("g", {class: "absence"},
    svg("rect", {x: GUTTER - 4, y: y - 14, width: chart.width - GUTTER,
      height: 28, rx: 5}),
    svg("text", {x: GUTTER + 6, y: y + 4, class: "cross"}, "✗"), text,
    svg("text", {x: 4, y: y + 4, class: "line"}, `:${f.line}`));
}

// views: one an event. Returns the chart and its groups, in the views' order.
function drawChart(item, views, role, width) {
  const chart = lanesOf(item, width);
  const groups = [];
  const body = svg("g");
  let y = TOP + 14, line = -1, before = null;
  for (const view of views) {
    const e = view.event;
    if (e.skipped) {
      body.append(svg("text", {x: GUTTER + 4, y, class: "skipped"},
        `… ${e.skipped} events are left out here …`));
      y += ROW;
    }
    // The label above an arrow needs more room than a note leaves.
    if (before === "note" && e.kind !== "note") y += ROW - SMALL_ROW;
    before = e.kind;
    if (e.line !== line) {
      line = e.line;
      body.append(svg("text", {x: 4, y: y + 4, class: "line"},
        line ? `:${line}` : "end"));
    }
    const group = drawEvent(chart, view, y);
    groups.push(group);
    body.append(group);
    y += e.kind === "note" ? SMALL_ROW : ROW;
  }
  if (item.failure && item.failure.event === null) {
    body.append(missing(chart, item, y));
    y += ROW;
  }
  const height = y + 4;
  const drawing = svg("svg", {
    class: "chart", width: chart.width, height,
    viewBox: `0 0 ${chart.width} ${height}`, role: "group",
    "aria-label": `Sequence of ${views.length} events`,
  }, lanes(chart, item, role, height), body);
  return {drawing, groups};
}
