// One case, and which view the address asks for.

let report = null;
let current = null; // the case that is open: {item, select, count, at}

// -------------------------------------------------------------------- a case

// What the chart and the inspector need of an event.
function viewOf(event, item, index) {
  const view = {event, item, index, frame: null, line: "",
    failed: Boolean(item.failure && item.failure.event === index)};
  if (event.kind === "frame") {
    view.frame = decodeFrame(bytesOf(event.bytes), event.length);
    view.name = view.frame.name;
    view.line = frameLine(view.frame);
  } else if (event.kind === "rest") {
    view.name = `${event.length} bytes that are no whole frame`;
  } else {
    view.name = event.text;
  }
  const way = event.device === undefined ? ""
    : event.kind === "note" ? event.device
      : event.to === "server" ? `${event.device} to server`
        : `server to ${event.device}`;
  view.spoken = [way, view.name, view.line, view.failed ? "this failed" : ""]
    .filter(Boolean).join(", ");
  return view;
}

function hexDump(bytes, length) {
  const pre = el("pre.hex", {tabindex: "0", "aria-label": "Bytes"});
  const cells = [];
  const columns = window.innerWidth < 520 ? 8 : 16;
  for (let at = 0; at < bytes.length; at += columns) {
    pre.append(el("b", {}, at.toString(16).padStart(4, "0") + "  "));
    for (let i = at; i < Math.min(at + columns, bytes.length); i++) {
      const cell = el("i", {}, bytes[i].toString(16).padStart(2, "0"));
      cells.push(cell);
      pre.append(cell, " ");
    }
    pre.append("\n");
  }
  if (bytes.length < length) {
    pre.append(el("b", {}, `… ${length - bytes.length} bytes more`));
  }
  return {pre, light(field) {
    cells.forEach((cell, i) =>
      cell.classList.toggle("on", Boolean(field) && i >= field.at && i < field.end));
  }};
}

// Rows of a table of fields; `light` is told which one is looked at.
function fieldRows(fields, depth, light) {
  return fields.flatMap(field => {
    const row = el(field.note ? "tr.bad" : "tr", {tabindex: "0",
      onmouseenter: () => light(field), onmouseleave: () => light(null),
      onfocus: () => light(field), onblur: () => light(null)},
    el("td.at", {}, `@${field.at}`),
    el("td", {style: `padding-left:${depth}rem`}, field.name),
    el("td.value", {}, field.text), el("td.kind", {}, field.kind));
    return [row, ...(field.fields ? fieldRows(field.fields, depth + 1, light) : [])];
  });
}

function fieldTable(fields, light) {
  return el("div.scroll", {}, el("table", {"aria-label": "Fields, with offsets"},
    el("tbody", {}, ...fieldRows(fields, 0, light))));
}

async function fillInspector(box, view) {
  const e = view.event;
  const way = e.device === undefined ? "" : e.kind === "note" ? e.device
    : e.to === "server" ? `${e.device} → server` : `server → ${e.device}`;
  const facts = [way, `${(e.us / 1000).toFixed(3)} ms`,
    e.line ? `line ${e.line}` : "behind the last step",
    e.connection === undefined ? null : `connection ${e.connection}`,
    e.length ? plural(e.length, "byte") : null];
  const parts = [
    el("button.close", {type: "button", onclick: () =>
      box.classList.remove("shown")}, "Close"),
    el("h2", {}, view.failed ? el("span.sign.fail", {}, "✗") : null, view.name),
    el("p.facts", {}, ...facts.filter(Boolean).map(f => el("span", {}, f)))];
  let hex = null;
  if (e.bytes) {
    const bytes = bytesOf(e.bytes);
    hex = hexDump(bytes, e.length);
    if (view.frame && view.frame.fields.length) {
      parts.push(fieldTable(view.frame.fields, hex.light));
    }
    parts.push(el("h3", {}, "Bytes"), hex.pre);
  }
  box.replaceChildren(...parts.filter(Boolean));
  box.classList.add("shown");
  const inside = view.frame && !view.frame.cut && await decodeInside(view.frame);
  if (inside && current && current.view === view) {
    box.append(el("h3", {style: "margin-top:12px"}, inside.title),
      fieldTable(inside.fields, () => {}));
  }
}

function sourceOf(item) {
  if (!item.source) return {box: null, light() {}};
  const done = new Set(item.steps || []);
  const lines = item.source.replace(/\n$/, "").split("\n");
  const rows = lines.map((text, i) => {
    const classes = [done.has(i + 1) ? "done" : "",
      text.startsWith("#") ? "comment" : "",
      item.failure && item.failure.line === i + 1 ? "failed" : ""];
    return el("li", {"data-line": i + 1,
      class: classes.filter(Boolean).join(" ")}, text || " ");
  });
  return {
    box: el("section", {"aria-label": "Scenario"}, el("h2", {}, "Scenario"),
      el("div.source.card", {tabindex: "0"}, el("ol", {}, ...rows)),
      el("p.soft", {}, "Green: steps that held.")),
    light(line) {
      rows.forEach((row, i) => row.classList.toggle("here", i + 1 === line));
    },
  };
}

function copyButton(text) {
  return el("button.copy", {type: "button", onclick: async e => {
    const button = e.currentTarget;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it by hand";
    }
  }}, "Copy");
}

function sentenceOf(id) {
  const rule = report.rules.find(r => r.id === id);
  return el("blockquote", {}, el("b", {}, id),
    ...(rule ? sentence(rule.sentence) : []));
}

function failureBox(item) {
  const why = whyOf(item);
  if (!why) return null;
  const f = item.failure;
  const detail = item.detail || "";
  const repeat = (detail.match(/^repeat: (.*)$/m) || [])[1];
  const box = el(`section.failure.${isShownAs(item)}`, {id: "failure",
    "aria-label": "What failed"}, el("strong", {}, why));
  if (item.standing === "known") {
    box.append(el("p.soft", {}, "Known: ",
      /^https?:/.test(item.expectation.url)
        ? el("a", {href: item.expectation.url, rel: "noreferrer"},
          item.expectation.url)
        : `line ${item.expectation.line} of the expectations`));
  }
  if (f) {
    box.append(...f.rules.map(sentenceOf));
    const pair = el("div.pair");
    if (f.legal) {
      pair.append(el("div", {}, el("h3", {}, "What was legal"),
        el("pre", {}, f.legal)));
    }
    if (f.got) {
      pair.append(el("div", {}, el("h3", {}, "What came"), el("pre", {}, f.got)));
    }
    box.append(pair);
  } else if (detail.trim() && detail.trim() !== why) {
    box.append(el("pre", {style: "white-space:pre-wrap"}, detail.trim()));
  }
  if (repeat) {
    box.append(el("div.repeat", {}, el("code", {tabindex: "0"}, repeat),
      copyButton(repeat)));
  }
  return box;
}

function neighbours(item) {
  const at = report.cases.indexOf(item);
  return [report.cases[at - 1], report.cases[at + 1]];
}

function caseHead(item) {
  const [before, behind] = neighbours(item);
  return [
    el("div.crumb", {}, el("a", {href: "#/"}, "← all cases"),
      el("span", {},
        before ? el("a", {href: caseHref(keyOf(before)), title: before.id},
          "previous") : null, "  ",
        behind ? el("a", {href: caseHref(keyOf(behind)), title: behind.id},
          "next") : null)),
    el("div.head", {}, el("h1", {}, caseName(item)),
      el(`span.badge.${isShownAs(item)}`, {},
        `${SIGNS[isShownAs(item)]} ${item.standing === "unexpected-pass"
          ? "unexpected pass" : item.verdict}`)),
    el("p", {style: "margin:6px 0 0"}, item.title),
    el("p.facts", {}, el("span", {}, `${item.duration_ms} ms`),
      el("span", {}, "rules: " + item.rules.join(" ")),
      el("span.mono", {}, item.file)),
  ];
}

// Chart, inspector and source, which follow the same event.
function viewCase(item) {
  const top = [...caseHead(item), failureBox(item)];
  const source = sourceOf(item);
  if (!item.events || !item.events.length) return [...top, source.box];
  const views = item.events.map((e, i) => viewOf(e, item, i));
  const inspector = el("section.inspector.card", {"aria-live": "polite",
    "aria-label": "The selected event"},
  el("p.soft", {}, "Click a frame, or go through them with ↑ and ↓."));
  const holder = el("div.drawing.card");
  const work = el("div.work", {}, holder,
    el("div.side", {}, inspector));
  current = {item, views, at: -1, view: null, inspector, source, holder};
  setTimeout(() => {
    drawCase();
    const failed = views.findIndex(v => v.failed);
    const first = views.findIndex(v => v.frame);
    const at = Math.max(failed < 0 ? first : failed, 0);
    // Where the inspector covers the chart, it waits to be asked.
    if (window.innerWidth > 900) select(at, false);
    else current.groups[at].setAttribute("tabindex", "0");
  });
  return [...top, work, source.box];
}

function drawCase() {
  const {item, views, holder, at} = current;
  const width = Math.max(280, holder.clientWidth - 18);
  const {drawing, groups} = drawChart(item, views, report.role, width);
  current.groups = groups;
  current.width = holder.clientWidth;
  groups.forEach((group, i) => {
    group.addEventListener("click", () => select(i, true));
    group.addEventListener("focus", () => select(i, false));
  });
  holder.replaceChildren(drawing);
  if (at >= 0) mark(at);
}

function mark(at) {
  current.groups.forEach((group, i) => {
    group.classList.toggle("on", i === at);
    group.setAttribute("tabindex", i === at ? "0" : "-1");
    if (i === at) group.setAttribute("aria-current", "true");
    else group.removeAttribute("aria-current");
  });
}

function select(at, focus) {
  const again = current.at === at && current.inspector.classList.contains("shown");
  current.at = at;
  current.view = current.views[at];
  mark(at);
  current.source.light(current.view.event.line);
  if (!again) fillInspector(current.inspector, current.view);
  if (focus) current.groups[at].focus({preventScroll: true});
  // Above the sheet that covers half of a narrow screen.
  if (window.innerWidth <= 900) current.groups[at].scrollIntoView();
}

// ------------------------------------------------------------------ the page

const TABS = [["#/", "Results"], ["#/rules", "Rules"], ["#/broken", "Broken peers"]];

function showTabs(hash) {
  const tabs = TABS.filter(([to]) => to !== "#/broken" || report.kills);
  const now = hash.startsWith("#/case/") ? "#/" : hash;
  document.getElementById("tabs").replaceChildren(...tabs.map(([to, name]) =>
    el("a", {href: to, "aria-current": to === now ? "page" : null}, name)));
}

function show() {
  const hash = location.hash || "#/";
  const main = document.getElementById("main");
  const item = hash.startsWith("#/case/") &&
    report.cases.find(c => keyOf(c) === decodeURIComponent(hash.slice(7)));
  current = null;
  showTabs(hash);
  const views = item ? viewCase(item)
    : hash === "#/rules" ? viewRules(report)
      : hash === "#/broken" && report.kills ? viewKills(report)
        : viewResults(report);
  main.replaceChildren(...views.filter(Boolean));
  document.title = (item ? `${item.id} – ` : "") + "roam-conform";
  window.scrollTo(0, 0);
}

// The next case that is not as expected, from the open one on.
function goToBad(way) {
  const bad = report.cases.filter(isBad);
  if (!bad.length) return;
  const now = current ? report.cases.indexOf(current.item) : way > 0 ? -1 : Infinity;
  const places = bad.map(item => report.cases.indexOf(item));
  const next = way > 0 ? places.find(p => p > now)
    : [...places].reverse().find(p => p < now);
  const at = next === undefined ? places[way > 0 ? 0 : places.length - 1] : next;
  location.hash = caseHref(keyOf(report.cases[at]));
}

function onEscape() {
  if (current && current.inspector.classList.contains("shown") &&
      window.innerWidth <= 900) {
    current.inspector.classList.remove("shown");
    if (current.at >= 0) current.groups[current.at].focus();
  } else if (location.hash && location.hash !== "#/") {
    location.hash = "#/";
  }
}

function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const typing = e.target.matches("input");
  const inChart = current && current.groups && e.target.closest(".event");
  if (e.key === "Escape") {
    typing ? e.target.blur() : onEscape();
  } else if (typing) {
    return;
  } else if (e.key === "/") {
    const input = document.querySelector("input[type=search]");
    if (!input) return;
    input.focus();
  } else if (e.key === "n" || e.key === "p") {
    goToBad(e.key === "n" ? 1 : -1);
  } else if (inChart && ["ArrowDown", "ArrowUp", "Home", "End"].includes(e.key)) {
    const last = current.groups.length - 1;
    const at = {ArrowDown: current.at + 1, ArrowUp: current.at - 1, Home: 0,
      End: last}[e.key];
    select(Math.max(0, Math.min(last, at)), true);
    current.groups[current.at].scrollIntoView({block: "nearest"});
  } else if (inChart && (e.key === "Enter" || e.key === " ")) {
    select(current.groups.indexOf(inChart), true);
  } else {
    return;
  }
  e.preventDefault();
}

async function start() {
  const packed = bytesOf(document.getElementById("data").textContent.trim());
  report = JSON.parse(new TextDecoder().decode(await inflate(packed)));
  schema = report.schema;
  window.addEventListener("hashchange", show);
  window.addEventListener("keydown", onKey);
  window.addEventListener("resize", () => {
    if (current && current.holder.clientWidth !== current.width) drawCase();
  });
  show();
  document.documentElement.dataset.ready = "yes";
}

start().catch(error => {
  document.getElementById("wait").textContent =
    "This browser cannot read the results (it needs DecompressionStream, of " +
    "2023): " + error.message;
});
