// SPDX-License-Identifier: Apache-2.0
// One case: its failure, its chart, and what stands beside the chart.

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

// Where a case fails because nothing came, that is an event, too.
function absenceOf(item, index) {
  const f = item.failure;
  if (!f || f.event !== null) return [];
  const [, device, way] = /^(\w+)([<>]) /.exec(f.step || "") || [];
  const known = item.devices.some(d => d.name === device);
  const event = {kind: "absence", line: f.line, us: 0,
    device: known ? device : undefined, to: way === ">" ? "server" : "client"};
  const last = item.events[item.events.length - 1];
  event.us = last ? last.us : 0;
  const name = f.what.split("\n")[0];
  return [{event, item, index, frame: null, name, line: f.step || "",
    failed: true, spoken: `${name}, this failed`}];
}

// The frame in lines, for the pointer that rests on it.
function tipOf(view) {
  const lines = (fields, depth) => fields.flatMap(f => [
    `${"  ".repeat(depth)}@${f.at} ${f.name} ${f.text}`,
    ...(f.fields ? lines(f.fields, depth + 1) : [])]);
  return [view.name, ...(view.frame ? lines(view.frame.fields, 1) : [view.line])]
    .filter(Boolean).join("\n");
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
  const facts = [way,
    e.kind === "absence" ? null : `${(e.us / 1000).toFixed(3)} ms`,
    e.line ? `line ${e.line}` : "behind the last step",
    e.connection === undefined ? null : `connection ${e.connection}`,
    e.length ? plural(e.length, "byte") : null];
  const parts = [
    el("button.close", {type: "button", onclick: () =>
      box.classList.remove("shown")}, "Close"),
    el("h2", {}, view.failed ? el("span.sign.fail", {}, "✗") : null, view.name),
    el("p.facts", {}, ...facts.filter(Boolean).map(f => el("span", {}, f)))];
  if (e.kind === "absence") {
    const {step, legal} = view.item.failure;
    if (step) parts.push(el("h3", {}, "The step"), el("pre", {}, step));
    if (legal && legal !== step) {
      parts.push(el("h3", {}, "What was legal"), el("pre", {}, legal));
    }
  }
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
  return el("blockquote", {}, ruleLink(id),
    ...(rule ? sentence(rule.sentence) : []));
}

function chartButton(item) {
  if (!item.failure || !item.events || !item.events.length) return null;
  return el("button.copy.jump", {type: "button", onclick: goToFailed},
    "Show it in the chart");
}

function failureBox(item) {
  const why = whyOf(item);
  if (!why) return null;
  const f = item.failure;
  const detail = item.detail || "";
  const repeat = (detail.match(/^repeat: (.*)$/m) || [])[1];
  const box = el(`section.failure.${isShownAs(item)}`, {id: "failure",
    "aria-label": "What failed"}, el("h2", {}, why));
  if (item.standing === "known") {
    box.append(el("p.soft", {}, "Known: ",
      /^https?:/.test(item.expectation.url)
        ? el("a", {href: item.expectation.url, rel: "noreferrer"},
          item.expectation.url)
        : `line ${item.expectation.line} of the expectations`));
  }
  if (f) {
    const more = item.what.split("\n").slice(1).join("\n").trim();
    if (more) box.append(el("pre.more", {tabindex: "0"}, more));
    if (f.blame) box.append(el("p.blame", {}, "Blame: ", el("b", {}, f.blame)));
    box.append(el("p.facts", {}, el("span.mono", {}, `${item.file}:${f.line}`)),
      ...f.rules.map(sentenceOf));
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
      copyButton(repeat), chartButton(item)));
  } else if (chartButton(item)) {
    box.append(el("div.repeat", {}, chartButton(item)));
  }
  return box;
}

function neighbours(item) {
  return [report.cases[item.at - 1], report.cases[item.at + 1]];
}

function caseHead(item) {
  const [before, behind] = neighbours(item);
  return [
    el("div.crumb", {}, el("a", {href: "#/"}, "← all cases"),
      el("span.ways", {},
        before ? el("a", {href: caseHref(keyOf(before)), title: caseName(before)},
          "previous") : null,
        behind ? el("a", {href: caseHref(keyOf(behind)), title: caseName(behind)},
          "next") : null,
        nextBad(item) ? el("a", {href: caseHref(keyOf(nextBad(item))),
          title: caseName(nextBad(item))}, "next unexpected") : null)),
    el("div.head", {}, el("h1", {}, caseName(item)),
      el(`span.badge.${isShownAs(item)}`, {},
        `${SIGNS[isShownAs(item)]} ${item.standing === "unexpected-pass"
          ? "unexpected pass" : item.verdict}`)),
    el("p", {style: "margin:6px 0 0"}, item.title),
    el("p.facts", {}, el("span", {}, `${item.duration_ms} ms`),
      el("span", {}, "rules: ", ...item.rules.flatMap(id => [ruleLink(id), " "])),
      el("span.mono", {}, item.file)),
  ];
}

// Chart, inspector and source, which follow the same event.
function viewCase(item) {
  const top = [...caseHead(item), failureBox(item)];
  const source = sourceOf(item);
  if (!item.events || !item.events.length) return [...top, source.box];
  const views = item.events.map((e, i) => viewOf(e, item, i));
  views.push(...absenceOf(item, views.length));
  const inspector = el("section.inspector.card", {"aria-live": "polite",
    "aria-label": "The selected event"},
  el("p.soft", {}, "Click a frame, or go through them with ↑ and ↓."));
  const names = el("div.names");
  const holder = el("div.drawing", {onscroll: () => {
    names.scrollLeft = holder.scrollLeft;
  }});
  const work = el("div.work", {}, el("div.card", {}, names, holder),
    el("div.side", {}, inspector));
  current = {item, views, at: -1, view: null, inspector, source, names, holder};
  return [...top, work, source.box];
}

// Behind its being in the page: the chart needs to know its width.
function startCase() {
  const {views} = current;
  drawCase();
  const failed = failedAt();
  const first = views.findIndex(v => v.frame);
  const at = Math.max(failed < 0 ? first : failed, 0);
  // Where the inspector covers the chart, it waits to be asked.
  if (window.innerWidth > 900) {
    select(at, false);
    revealSideways(at);
  } else {
    current.groups[at].setAttribute("tabindex", "0");
  }
}

function failedAt() {
  return current && current.views ? current.views.findIndex(v => v.failed) : -1;
}

function goToFailed() {
  if (failedAt() < 0) return;
  select(failedAt(), true);
  reveal(failedAt());
}

function drawCase() {
  const {item, views, names, holder, at} = current;
  const width = Math.max(280, holder.clientWidth - 18);
  const {head, drawing, groups} = drawChart(item, views, report.role, width);
  current.groups = groups;
  current.width = holder.clientWidth;
  groups.forEach((group, i) => {
    group.addEventListener("click", () => {
      select(i, true);
      reveal(i);
    });
    group.addEventListener("focus", () => select(i, false));
    // Late, so that nobody is read every frame twice.
    group.addEventListener("pointerenter", () =>
      group.prepend(svg("title", {}, tipOf(views[i]))), {once: true});
  });
  names.replaceChildren(head);
  holder.replaceChildren(drawing);
  if (at >= 0) mark(at);
}

function revealSideways(at) {
  const {groups, holder} = current;
  const point = groups[at].querySelector(".tip, .dot") || groups[at];
  const box = point.getBoundingClientRect(), all = holder.getBoundingClientRect();
  if (point === groups[at]) return;
  if (box.left < all.left) holder.scrollLeft += box.left - all.left - 48;
  if (box.right > all.right) holder.scrollLeft += box.right - all.right + 48;
}

// Neither under the names of the lanes, nor under the sheet that covers half
// of a narrow screen.
function reveal(at) {
  const {groups, names, inspector} = current;
  const box = groups[at].getBoundingClientRect();
  const top = names.offsetHeight +
    document.querySelector("header").getBoundingClientRect().bottom;
  const bottom = window.innerWidth > 900 ? window.innerHeight
    : inspector.getBoundingClientRect().top;
  if (box.top < top) window.scrollBy(0, box.top - top - 8);
  else if (box.bottom > bottom) window.scrollBy(0, Math.min(
    box.bottom - bottom + 8, box.top - top - 8));
  revealSideways(at);
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
}
