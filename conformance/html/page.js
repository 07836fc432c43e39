// SPDX-License-Identifier: Apache-2.0
// Which view the address asks for, and the keys.

let report = null;
let current = null; // the case that is open: its views, their groups, at
let visit = null; // of the page's history: which entry is shown
const scrolls = new Map(); // visit: how far it was scrolled

const TABS = [["#/", "Results"], ["#/rules", "Rules"], ["#/broken", "Broken peers"]];

function showTabs(hash) {
  const tabs = TABS.filter(([to]) => to !== "#/broken" || report.kills);
  const now = hash.startsWith("#/rules") ? "#/rules"
    : hash === "#/broken" ? hash : "#/";
  document.getElementById("tabs").replaceChildren(...tabs.map(([to, name]) =>
    el("a", {href: to, "aria-current": to === now ? "page" : null}, name)));
}

// What the address names: a case, a view, or nothing that is here.
function viewsOf(hash) {
  const named = hash.startsWith("#/case/") && unescaped(hash.slice(7));
  const item = report.cases.find(c => keyOf(c) === named);
  if (item) return {item, views: viewCase(item)};
  if (hash.startsWith("#/rules")) return {views: viewRules(report)};
  if (hash === "#/broken" && report.kills) return {views: viewKills(report)};
  const lost = hash === "#/" ? null
    : el("p.lost", {role: "status"}, "This report has no ", el("code", {}, hash));
  return {views: [lost, ...viewResults(report)]};
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// `from`: the address that was shown before; null: the page was just opened.
function show(from) {
  const hash = location.hash || "#/";
  const main = document.getElementById("main");
  current = null;
  showTabs(hash);
  const {item, views} = viewsOf(hash);
  main.replaceChildren(...views.filter(Boolean));
  document.title = (item ? `${caseName(item)} – ` : "") + "roam-conform";
  if (current) startCase();
  const back = enter();
  window.scrollTo(0, back || 0);
  const rule = document.getElementById("rule-" + unescaped(hash.slice(8)));
  if (rule) {
    rule.classList.add("here");
    if (back === undefined) rule.scrollIntoView({block: "center"});
  }
  if (from !== null) giveFocus(main, from, back !== undefined);
}

// Of an entry of the history that was here before: how far it was scrolled.
function enter() {
  const known = history.state ? scrolls.get(history.state.visit) : undefined;
  if (!history.state) history.replaceState({visit: Date.now()}, "");
  visit = history.state.visit;
  return known;
}

// At the link that led to where we come from, else at the heading.
function giveFocus(main, from, isBack) {
  const link = [...main.querySelectorAll("a")].find(a =>
    a.getAttribute("href") === from && a.closest(".list, .cells, table") &&
    a.getClientRects().length > 0);
  const heading = main.querySelector("h1");
  heading.setAttribute("tabindex", "-1");
  (link || heading).focus({preventScroll: true});
  if (link && !isBack) link.scrollIntoView({block: "center"});
}

// The next case that is not as expected, from the open one on.
// undefined: there is no other.
function nextBad(item, way = 1) {
  const bad = report.cases.filter(c => isBad(c) && c !== item);
  const now = item ? item.at : way > 0 ? -1 : Infinity;
  const beyond = c => way > 0 ? c.at > now : c.at < now;
  return way > 0 ? bad.find(beyond) || bad[0]
    : bad.reverse().find(beyond) || bad[0];
}

function goToBad(way) {
  const next = nextBad(current && current.item, way);
  if (next) location.hash = caseHref(keyOf(next));
}

// In a row of the matrix, which Tab takes for one.
function alongCells(cell, key) {
  const cells = [...cell.parentElement.children];
  const at = {ArrowLeft: cells.indexOf(cell) - 1, ArrowRight: cells.indexOf(cell) + 1,
    Home: 0, End: cells.length - 1}[key];
  const next = cells[Math.max(0, Math.min(cells.length - 1, at))];
  cells.forEach(c => c.setAttribute("tabindex", c === next ? "0" : "-1"));
  next.focus();
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
  } else if (e.key === "f" && failedAt() >= 0) {
    goToFailed();
  } else if (e.target.matches(".cell") &&
      ["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key)) {
    alongCells(e.target, e.key);
  } else if (inChart && ["ArrowDown", "ArrowUp", "Home", "End"].includes(e.key)) {
    const last = current.groups.length - 1;
    const at = {ArrowDown: current.at + 1, ArrowUp: current.at - 1, Home: 0,
      End: last}[e.key];
    select(Math.max(0, Math.min(last, at)), true);
    reveal(current.at);
  } else if (inChart && (e.key === "Enter" || e.key === " ")) {
    select(current.groups.indexOf(inChart), true);
    reveal(current.at);
  } else {
    return;
  }
  e.preventDefault();
}

async function start() {
  const packed = bytesOf(document.getElementById("data").textContent.trim());
  report = JSON.parse(new TextDecoder().decode(await inflate(packed)));
  schema = report.schema;
  nameCases(report.cases);
  history.scrollRestoration = "manual";
  window.addEventListener("hashchange", e => {
    scrolls.set(visit, window.scrollY);
    show(new URL(e.oldURL).hash || "#/");
  });
  window.addEventListener("keydown", onKey);
  const measure = () => document.documentElement.style.setProperty("--bar",
    `${document.querySelector("header").offsetHeight}px`);
  window.addEventListener("resize", () => {
    measure();
    if (current && current.holder.clientWidth !== current.width) drawCase();
  });
  show(null);
  measure();
  document.documentElement.dataset.ready = "yes";
}

start().catch(error => {
  document.getElementById("wait").textContent =
    "This browser cannot read the results (it needs DecompressionStream, of " +
    "2023): " + error.message;
});
