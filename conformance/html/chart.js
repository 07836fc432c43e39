// SPDX-License-Identifier: Apache-2.0
// The sequence chart of a case, as SVG: a line for each device, and one for
// the server in their middle, time going down. The names above the lines are
// a drawing of their own, which stays while the other one scrolls.

const SVG = "http://www.w3.org/2000/svg";
const ROW = 34, SMALL_ROW = 26, GUTTER = 40, LANE_MIN = 86;
const GAP_US = 100000; // a silence that is worth a word
const SUB_CHARACTER = 6.2; // pixels, below a lane's name

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

// `character`: how wide one is, on the safe side.
function shorten(text, pixels, character = 6.9) {
  const most = Math.max(4, Math.floor(pixels / character));
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

function laneHead(chart, item, role, name) {
  const device = item.devices.find(d => d.name === name);
  const x = chart.x.get(name), room = chart.step - 12;
  const tested = role === "pair" || (role === "server") === (name === null);
  const whose = device ? [device.user, device.type].filter(Boolean) : [];
  const line = whose.join(" · ");
  const below = [...(line.length * SUB_CHARACTER > room ? whose : [line]),
    tested ? "under test" : device ? "" : "harness"].filter(Boolean);
  const draw = height => svg("g", {},
    svg("title", {}, [name || "server", ...whose].join(" · ")),
    svg("rect", {x: x - chart.step / 2 + 4, y: 4, width: chart.step - 8,
      height: height - 10, rx: 7, class: tested ? "tested" : ""}),
    svg("text", {x, y: 20, class: "lane"},
      shorten(name || "server", room, 7.6)),
    ...below.map((text, i) => svg("text", {x, y: 34 + 13 * i, class: "sub"},
      shorten(text, room, SUB_CHARACTER))));
  return {draw, lines: below.length};
}

function laneHeads(chart, item, role) {
  const heads = chart.order.map(name => laneHead(chart, item, role, name));
  chart.head = 36 + 13 * Math.max(...heads.map(h => h.lines));
  return svg("svg", {class: "chart lanes", width: chart.width,
    height: chart.head, viewBox: `0 0 ${chart.width} ${chart.head}`, role: "img",
    "aria-label": `From left to right: ${chart.order.map(n => n || "server")
      .join(", ")}`}, ...heads.map(h => h.draw(chart.head)));
}

function lanes(chart, height) {
  return svg("g", {class: "lanes"}, ...[...chart.x.values()].map(x =>
    svg("line", {x1: x, x2: x, y1: 0, y2: height - 8})));
}

// Label of an arrow: the frame's name, and what fits of its fields.
function label(view, from, to, y, width) {
  const start = Math.min(from, to) + 8;
  const text = svg("text", {x: start, y: y - 6, class: "label"});
  const name = svg("tspan", {class: "name"}, view.name);
  const room = width - start - 14 - view.name.length * 8.6;
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
    group.append(...note(chart, view, device, y));
    return group;
  }
  if (e.kind === "absence") {
    group.append(...absence(chart, view, device, y));
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

// What happened beside the wire: at a device, or to all, as when time passes.
function note(chart, view, device, y) {
  const everywhere = view.event.device === undefined;
  const x = everywhere ? GUTTER + 4 : device + 8;
  const text = svg("text", {x, y, class: "note label"},
    shorten(view.name, chart.width - x - 8, 7.3));
  return everywhere
    ? [svg("line", {x1: GUTTER, x2: chart.width - 8, y1: y - 4, y2: y - 4,
      class: "moment"}), text]
    : [text, svg("circle", {cx: device, cy: y - 4, r: 3.5, class: "dot"})];
}

// Where nothing came that should have: behind the last event, and on the line
// of the device that waits, if the step tells which.
function absence(chart, view, device, y) {
  const left = GUTTER + 24, server = chart.x.get(null);
  const name = svg("tspan", {class: "missing"},
    shorten(view.name, chart.width - left - 12, 7.6));
  const room = chart.width - left - 20 - view.name.length * 7.8;
  const text = svg("text", {x: left, y: y - 8, class: "label"}, name);
  if (room > 60) {
    text.append(svg("tspan", {class: "args", dx: 6}, shorten(view.line, room)));
  }
  const [from, to] = view.event.to === "server" ? [device, server]
    : [server, device];
  return [
    svg("rect", {x: GUTTER - 4, y: y - 24, width: chart.width - GUTTER,
      height: 34, rx: 5, class: "frame"}),
    ...(view.event.device === undefined ? [] : arrow(from, to, y)),
    svg("text", {x: GUTTER + 6, y: y - 8, class: "cross"}, "✗"), text];
}

// How long nothing was seen, where that is worth a word.
function gapText(us) {
  return us < GAP_US ? "" : us < 9950000 ? `+${(us / 1e6).toFixed(1)} s`
    : `+${Math.round(us / 1e6)} s`;
}

// views: one an event. Returns the names of the lanes, the chart, and its
// groups in the views' order.
function drawChart(item, views, role, width) {
  const chart = lanesOf(item, width);
  const groups = [];
  const body = svg("g");
  let y = 24, line = -1, before = null, us = Infinity;
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
    const gap = gapText(e.us - us);
    us = e.us;
    if (gap) body.append(svg("text", {x: 4, y: y - 10, class: "line"}, gap));
    const group = drawEvent(chart, view, y);
    groups.push(group);
    body.append(group);
    y += e.kind === "note" ? SMALL_ROW : ROW;
  }
  const height = y + 4;
  const head = laneHeads(chart, item, role);
  const drawing = svg("svg", {
    class: "chart", width: chart.width, height,
    viewBox: `0 0 ${chart.width} ${height}`, role: "group",
    "aria-label": `Sequence of ${views.length} events`,
  }, lanes(chart, height), body);
  return {head, drawing, groups};
}
