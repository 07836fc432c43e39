// SPDX-License-Identifier: Apache-2.0
// What the page shows: results, rules, broken peers, one case.

const SIGNS = {"pass": "✓", "fail": "✗", "warn": "!", "unsupported": "–",
  "not-exercised": "?", "harness-error": "#"};
const ORDER = Object.keys(SIGNS);
const ATTENTION_MAX = 12; // a screen
const LIST_MAX = 500; // rows that a browser draws at once without a pause

// el("a.brand", {href}, children...): an element; children are text or nodes.
function el(spec, attributes, ...children) {
  const [name, ...classes] = spec.split(".");
  const e = document.createElement(name);
  if (classes.length) e.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) e.setAttribute(key, value);
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

// A sentence of the spec: one line, and what is between backticks as code.
function sentence(text) {
  return text.replace(/\s+/g, " ").split("`").map((part, i) =>
    i % 2 ? el("code", {}, part) : part);
}

// The sanity case runs first and last: the later one is another one.
function nameCases(cases) {
  const known = new Set();
  for (const [at, item] of cases.entries()) {
    item.at = at;
    item.key = item.round ? `${item.id}~${item.round}` : item.id;
    item.again = known.has(item.key);
    if (item.again) item.key += "~again";
    known.add(item.key);
  }
}

function keyOf(item) {
  return item.key;
}

function caseHref(key) {
  return "#/case/" + key;
}

function caseName(item) {
  return item.id + (item.round ? ` (round ${item.round + 1})` : "") +
    (item.again ? " (again)" : "");
}

function ruleLink(id) {
  return el("a.rule", {href: "#/rules/" + id}, id);
}

function isBad(item) {
  return item.standing === "unexpected" || item.standing === "unexpected-pass";
}

function isShownAs(item) {
  return item.standing === "unexpected-pass" ? "fail" : item.verdict;
}

function whyOf(item) {
  if (item.standing === "unexpected-pass") {
    return `it passes, and line ${item.expectation.line} of the expectations ` +
      "has it as known to fail";
  }
  return item.verdict === "pass" ? null : item.what.split("\n")[0];
}

function sign(verdict) {
  return el(`span.sign.${verdict}`, {title: verdict, role: "img",
    "aria-label": verdict}, SIGNS[verdict]);
}

function groupBy(list, key) {
  const out = new Map();
  for (const item of list) {
    const k = key(item);
    if (!out.has(k)) out.set(k, []);
    out.get(k).push(item);
  }
  return out;
}

// ------------------------------------------------------------------ results

function viewSummary(report) {
  const c = report.counts, total = report.cases.length;
  const bad = c.unexpected + report.stale_expectations.length;
  const result = !report.complete ? "Interrupted"
    : bad ? `${bad} unexpected` : "As expected";
  const facts = [report.peer, plural(total, "case"),
    `${(report.duration_ms / 1000).toFixed(1)} s`, `seed ${report.seed}`,
    report.started.replace("T", " ").replace("Z", " UTC"),
    `exit status ${report.exit}`];
  return el("section", {},
    el("div.summary", {},
      el(`div.result.${bad || !report.complete ? "bad" : "good"}`, {}, result),
      el("div", {},
        el("h1", {}, `A ${report.role} of Roam 1, judged`),
        el("p.facts", {}, ...facts.map(f => el("span", {}, f))))),
    el("div.share", {role: "img",
      "aria-label": ORDER.map(v => `${c[v]} ${v}`).join(", ")},
    ...ORDER.filter(v => c[v]).map(v =>
      el(`i.${v}`, {style: `width:${100 * c[v] / total}%`}))),
    ...report.stale_expectations.map(s => el("p", {},
      sign("fail"), `line ${s.line} of the expectations is stale: `,
      el("code", {}, s.id), `: ${s.why}`)));
}

// Tab goes from row to row, to its first red one; the arrows go along. Of later
// rounds only what is not as expected has a cell.
function cellsOf(items) {
  const shown = items.filter(item => !item.round || item.again || isBad(item));
  const first = shown.find(isBad) || shown[0];
  return shown.map(item => el(`a.cell.${isShownAs(item)}`, {
    href: caseHref(keyOf(item)), title: caseName(item),
    tabindex: item === first ? "0" : "-1",
    "aria-label": `${caseName(item)}: ${item.verdict}`}, SIGNS[isShownAs(item)]));
}

function viewMatrix(report) {
  const areas = groupBy(report.cases, c => c.area || "cases");
  const rows = [...areas].map(([area, items]) => el("div.area", {},
    el("span.name", {}, area),
    el("span.cells", {}, ...cellsOf(items)),
    el("span.count", {},
      `${items.filter(c => c.verdict === "pass").length} of ${items.length}`)));
  return el("section", {"aria-label": "Results by area"},
    el("h2", {}, "By area"), el("div.matrix.card", {}, ...rows));
}

// What it waited for: many cases fail with "no answer".
function stepOf(item) {
  const f = item.failure;
  return f && f.event === null && f.step ? el("code", {}, f.step) : null;
}

function caseRow(item) {
  const why = whyOf(item);
  return el("li", {}, el("a", {href: caseHref(keyOf(item))},
    sign(isShownAs(item)), el("span.id", {}, caseName(item)),
    el("span.title", {}, item.title),
    el("span.ms", {}, `${item.duration_ms} ms`),
    why ? el("span.why", {}, why, stepOf(item)) : null));
}

// What was searched for in each list, for whoever comes back to it.
const searches = new Map();

// A list with a search over what `text` gives, and chips of `kinds`. `list`
// and `none`: what the rows stand in, and what stands there without one.
function searchable(items, text, kinds, kindOf, row, name,
    list = el("ul.list.card"), none = el("li.none", {}, "Nothing is like that.")) {
  const said = el("p.soft", {"aria-live": "polite"});
  if (!searches.has(name)) searches.set(name, {words: "", on: new Set()});
  const search = searches.get(name), {on} = search;
  let all = false;
  const rest = el("button.chip.more-rows", {type: "button", onclick: () => {
    all = true;
    fill();
  }});
  const input = el("input", {type: "search", "aria-label": `Search ${name}`,
    placeholder: `Search ${name}: words, any order`, oninput: fill});
  input.value = search.words;
  const chips = kinds.map(kind => el("button.chip", {type: "button",
    "aria-pressed": on.has(kind), onclick: e => {
      on.has(kind) ? on.delete(kind) : on.add(kind);
      e.currentTarget.setAttribute("aria-pressed", on.has(kind));
      fill();
    }}, `${SIGNS[kind] || ""} ${kind} ${items.filter(i => kindOf(i, kind)).length}`));
  function fill() {
    search.words = input.value;
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = items.filter(item =>
      (on.size === 0 || [...on].some(kind => kindOf(item, kind))) &&
      words.every(w => text(item).includes(w)));
    const most = all ? Infinity : LIST_MAX;
    list.replaceChildren(...shown.slice(0, most).map(row));
    if (!shown.length) list.append(none);
    said.textContent = shown.length === items.length ? ""
      : `${shown.length} of ${items.length}`;
    rest.hidden = shown.length <= most;
    rest.textContent = `Show ${shown.length - LIST_MAX} more`;
  }
  fill();
  return [el("div.tools", {role: "search"}, input,
    el("span.chips", {}, ...chips)), said, list.closest(".scroll") || list, rest];
}

function caseText(item) {
  return [item.id, item.title, item.verdict, item.what || "", ...item.rules,
    ...(item.failure ? item.failure.rules : [])].join(" ").toLowerCase();
}

// Of very many the first ones, so that the matrix is not far.
function viewAttention(bad) {
  const first = bad.slice(0, ATTENTION_MAX), rest = bad.slice(ATTENTION_MAX);
  return el("section", {id: "attention"}, el("h2", {}, "Not as expected"),
    el("ul.list.card", {}, ...first.map(caseRow)),
    rest.length ? el("details", {}, el("summary", {}, `${rest.length} more`),
      el("ul.list.card", {}, ...rest.map(caseRow))) : null);
}

function viewResults(report) {
  const bad = report.cases.filter(isBad);
  const kinds = ORDER.filter(v => report.counts[v]);
  return [
    viewSummary(report),
    bad.length ? viewAttention(bad) : null,
    viewMatrix(report),
    el("section", {}, el("h2", {}, "All cases"),
      ...searchable(report.cases, caseText, kinds,
        (item, kind) => item.verdict === kind, caseRow, "cases")),
    el("p.keys", {}, el("kbd", {}, "/"), " search   ",
      el("kbd", {}, "n"), " ", el("kbd", {}, "p"),
      " next and previous case that is not as expected   ",
      el("kbd", {}, "Esc"), " back   ", el("kbd", {}, "←"), " ",
      el("kbd", {}, "→"), " along the cases of an area   in a case: ",
      el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " from frame to frame, ",
      el("kbd", {}, "f"), " to what failed"),
  ];
}

// -------------------------------------------------------------------- rules

function meter(name, count, of) {
  return el("div.meter", {}, el("div", {}, name),
    el("span", {}, el("b", {style: `width:${of ? 100 * count / of : 0}%`})),
    el("i", {}, `${count} of ${of}`));
}

function caseLinks(cases) {
  if (!cases.length) return el("span.no", {}, "–");
  return el("details", {}, el("summary", {}, el("span.yes", {}, "✓ "),
    plural(cases.length, "case")),
  el("ul", {}, ...cases.map(id =>
    el("li", {}, el("a", {href: caseHref(id)}, id)))));
}

function ruleRow(rule, has) {
  return el("li", {id: "rule-" + rule.id}, el("div", {style: "padding:9px 14px"},
    el("div", {}, el("code", {}, el("b", {}, rule.id)), " ",
      el("span.soft", {}, rule.level), " ", ...sentence(rule.sentence)),
    el("div.facts", {},
      rule.judged ? el("span.yes", {}, "✓ judged in every case") : null,
      el("span", {}, "accepting: ", caseLinks(rule.accepting)),
      el("span", {}, "rejecting: ", caseLinks(rule.rejecting)),
      has ? el("span", {}, "broken peers caught: ",
        rule.caught.length ? el("span.yes", {}, "✓ " + rule.caught.join(", "))
          : el("span.no", {}, "–")) : null)));
}

function viewRules(report) {
  const must = report.rules.filter(r => r.level === "MUST");
  const sees = r => r.judged || r.accepting.length > 0;
  const gaps = {
    "not seen": r => !sees(r),
    "no rejecting": r => !r.rejecting.length,
    "no broken peer": r => !r.caught.length,
  };
  if (!report.kills) delete gaps["no broken peer"];
  return [
    el("h1", {}, "Rules, as this run has seen them"),
    el("p.soft", {}, "A rule is seen where a step or judge under it held in a " +
      "case that passed; rejecting where it asked for a refusal, an end or an " +
      "absence."),
    meter("MUST: seen", must.filter(sees).length, must.length),
    meter("MUST: seen rejecting", must.filter(r => r.rejecting.length).length,
      must.length),
    report.kills ? meter("MUST: a broken peer caught",
      must.filter(r => r.caught.length).length, must.length) : null,
    el("h2", {}, "All rules"),
    ...searchable(report.rules,
      r => `${r.id} ${r.level} ${r.sentence}`.toLowerCase(), Object.keys(gaps),
      (r, kind) => gaps[kind](r), r => ruleRow(r, Boolean(report.kills)),
      "rules"),
  ];
}

// -------------------------------------------------------------------- kills

function viewKills(report) {
  const caught = report.kills.filter(k => k.caught).length;
  const rows = el("tbody");
  const row = k => el("tr", {},
    el("td", {}, sign(k.caught ? "pass" : "fail"),
      k.caught ? "caught" : "survives"),
    el("td", {}, el("code", {}, k.fault)), el("td", {}, ruleLink(k.rule)),
    el("td", {}, k.by ? el("a", {href: caseHref(k.by)}, k.by) : "–"),
    el("td", {}, `${k.red} of ${k.cases}`));
  el("div.card.scroll.kills", {tabindex: "0", "aria-label": "Broken peers"},
    el("table", {}, el("thead", {}, el("tr", {}, ...["", "fault", "rule",
      "caught by", "red cases"].map(h => el("th", {scope: "col"}, h)))), rows));
  const sorted = [...report.kills].sort((a, b) => a.caught - b.caught);
  return [
    el("h1", {}, "Broken peers"),
    el("p.soft", {}, "Each breaks one rule on purpose, and counts as caught " +
      "only by a check that names this rule."),
    meter("caught", caught, report.kills.length),
    ...searchable(sorted, k => `${k.fault} ${k.rule} ${k.by || ""}`.toLowerCase(),
      ["caught", "survives"], (k, kind) => k.caught === (kind === "caught"), row,
      "faults", rows, el("tr", {}, el("td", {colspan: "5"},
        "Nothing is like that."))),
  ];
}
