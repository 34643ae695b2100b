"use strict";
// Everything of others is set as text (textContent), never as markup. Rows are drawn a page at a time, their insides
// when they are opened.
const data = JSON.parse(document.getElementById("content").textContent);
const PAGE = 60;
const WAITS = new Set(["waits", "drift"]);

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const words = (name) => name.replace(/_/g, " ");
const number = (value) => value.toLocaleString("en");
const pill = (kind, text) => h("span", { class: `pill ${kind}` }, text || words(kind));
const time = (iso) => iso.replace("T", " ").slice(0, 16) + " UTC";

// ---- the data in the form the page needs

const rows = data.rows.map((row) => {
  const kinds = new Set(row.operations.map((one) => one.action));
  row.findings.forEach((one) => kinds.add(one.kind));
  row.operations.forEach((one) => { if (one.status === "deferred") kinds.add(one.status); if (one.status === "failed") kinds.add("refused"); });
  const fields = new Set(row.operations.flatMap((one) => one.changes.map((change) => change.field)));
  row.findings.forEach((one) => { if (one.field) fields.add(one.field); });
  return { ...row, kinds, fields, text: null };
});
const plain = (value) => value === null ? "" : typeof value === "string" ? value : value.images.map((one) => one.url).join(" ");
function textOf(row) {
  // Made once, when somebody searches.
  if (row.text === null) {
    row.text = [row.sync, row.key, row.name, row.code,
      ...row.findings.map((one) => one.message),
      ...row.operations.flatMap((one) => [one.error, one.note,
        ...one.changes.flatMap((change) => [change.field, plain(change.before), plain(change.after)])]),
    ].filter(Boolean).join("\n").toLowerCase();
  }
  return row.text;
}

// ---- filter, kept in the address so that a view can be passed on

const chosen = { q: "", sync: "", kind: "", field: "", waits: "" };
let opened = "";
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  opened = given.get("open") || "";
  for (const name of Object.keys(chosen)) chosen[name] = given.get(name) || "";
}
function fits(row) {
  return (!chosen.sync || row.sync === chosen.sync) && (!chosen.kind || row.kinds.has(chosen.kind))
    && (!chosen.field || row.fields.has(chosen.field))
    && (!chosen.waits || [...row.kinds].some((kind) => WAITS.has(kind)))
    && chosen.q.toLowerCase().split(/\s+/).every((word) => !word || textOf(row).includes(word));
}
const distinct = (values) => [...new Set(values)].sort();
const search = h("input", { type: "search", id: "q", placeholder: "Name, SKU, key or text", "aria-label": "Search",
  oninput: () => later(() => choose({ q: search.value })) });
const selects = {
  sync: select("sync", "All syncs", rows.map((row) => row.sync)),
  kind: select("kind", "All actions", rows.flatMap((row) => [...row.kinds])),
  field: select("field", "All fields", rows.flatMap((row) => [...row.fields])),
};
const waits = h("input", { type: "checkbox", id: "waits", onchange: () => choose({ waits: waits.checked ? "1" : "" }) });
function select(name, all, values) {
  return h("select", { id: name, "aria-label": all, onchange: (event) => choose({ [name]: event.target.value }) },
    h("option", { value: "" }, all), distinct(values).map((value) => h("option", { value }, words(value))));
}
let waiting = 0;
function later(what) { clearTimeout(waiting); waiting = setTimeout(what, 120); }
function choose(changes) {
  Object.assign(chosen, changes);
  const set = Object.entries(chosen).filter(([, value]) => value);
  history.replaceState(null, "", "#" + new URLSearchParams(set));
  showFilter();
  draw();
}
function showFilter() {
  if (search.value !== chosen.q) search.value = chosen.q;
  for (const [name, node] of Object.entries(selects)) node.value = chosen[name];
  waits.checked = Boolean(chosen.waits);
}
function choosing(changes) {
  return () => { choose({ q: "", sync: "", kind: "", field: "", waits: "", ...changes }); list.scrollIntoView(); };
}

// ---- rows

const count = h("p", { class: "count soft small", id: "count", "aria-live": "polite" });
const list = h("div", { id: "rows" });
const more = h("p", { class: "more" }, h("button", { id: "more", onclick: () => next() }, "Show more"));
let matching = [], drawn = 0;
function draw() {
  matching = rows.filter(fits);
  drawn = 0;
  list.replaceChildren();
  const narrowed = matching.length !== rows.length;
  count.textContent = narrowed ? `${number(matching.length)} of ${number(rows.length)} rows` : `${number(rows.length)} rows`;
  if (!matching.length) list.append(h("p", { class: "soft" }, rows.length ? "No row fits the filter." : "Nothing to change: the shop shows what the view says."));
  next();
}
function next() {
  list.append(...matching.slice(drawn, drawn + PAGE).map(drawRow));
  drawn += PAGE;
  more.hidden = drawn >= matching.length;
}
function drawRow(row) {
  const title = h("span", { class: "title" }, h("b", {}, row.name || row.key), " ",
    h("span", { class: "soft small" }, [row.code, row.sync].filter(Boolean).join(" · ")));
  const kinds = h("span", { class: "chips" }, [...row.kinds].map((kind) => pill(kind)));
  const node = h("details", { class: "row", "data-key": row.key, open: row.key === opened, ontoggle: () => {
    if (node.open && !node.querySelector(".body")) node.append(drawBody(row));
  } }, h("summary", {}, title, kinds, h("span", { class: "gist" }, gist(row))));
  return node;
}
function gist(row) {
  const changes = row.operations.flatMap((one) => one.changes);
  const drift = row.findings.find((one) => one.kind === "drift");
  const edited = drift && changes.find((change) => change.field === drift.field);
  const told = row.operations.map((one) => one.error).concat(row.findings.map((one) => one !== drift || !edited ? one.message : null)).filter(Boolean);
  if (told.length) return told[0];
  const only = edited || (changes.length === 1 ? changes[0] : null);
  if (only && typeof only.after !== "object") {
    return `${only.field}: ${plain(only.before) || "empty"} → ${plain(only.after) || "empty"}${edited ? ", edited there" : ""}`;
  }
  return changes.map((change) => change.field).join(", ");
}
function drawBody(row) {
  const body = h("div", { class: "body" });
  for (const one of row.findings) body.append(h("p", { class: `callout ${one.kind}` }, h("b", {}, words(one.kind)), ": ", one.message));
  for (const one of row.operations) {
    if (one.error) body.append(h("p", { class: "callout bad" }, h("b", {}, words(one.status)), ": ", one.error,
      one.error_field ? ` (field ${one.error_field})` : ""));
    if (one.note) body.append(h("p", { class: "callout wait" }, one.note));
    const state = one.status === "planned" ? "" : one.status;
    body.append(h("p", { class: "soft small" }, pill(one.action), " ", state ? pill(state) : "", " ", requestsOf(one)));
    const isNew = one.changes.every((change) => change.before === null);
    if (one.changes.length) body.append(h("div", { class: `change heads ${isNew ? "new" : ""}` }, h("span", {}, "field"), isNew ? null : h("span", {}, "in the shop"), h("span", {}, "will be")));
    one.changes.forEach((change) => body.append(drawChange(change, isNew)));
  }
  if (row.trace) body.append(drawTrace(row.trace));
  body.append(h("p", { class: "soft small" }, h("code", {}, `karvon explain ${row.code || row.key}`)));
  return body;
}
const requestsOf = (one) => one.requests === 0 ? "travels with another request" : one.requests === 1 ? "1 request" : `${one.requests} requests`;
function drawChange(change, isNew) {
  const [before, after] = [change.before, change.after];
  const both = typeof before === "string" && typeof after === "string";
  const [left, right] = both ? difference(before, after) : [show(before), show(after)];
  const isEdited = change.ours !== null && JSON.stringify(change.ours) !== JSON.stringify(before);
  return h("div", { class: `change ${isNew ? "new" : ""}` }, h("span", { class: "name" }, change.field),
    isNew ? null : h("div", {}, h("span", { class: "label" }, "in the shop"), side(before, left),
      isEdited ? h("div", { class: "small soft" }, "edited there; we wrote: ", plain(change.ours)) : null),
    h("div", {}, h("span", { class: "label" }, "will be"), side(after, right)));
}
const side = (value, content) => h("div", { class: value === null ? "side none" : "side" }, content);
function show(value) {
  if (value === null) return ["empty"];
  return typeof value === "string" ? [value] : [h("div", { class: "pictures" }, value.images.map(picture))];
}
function picture(image) {
  const file = image.url.split(/[?#]/)[0].split("/").pop() || image.url;
  const isSafe = /^https?:\/\//i.test(image.url);
  const node = h(isSafe ? "a" : "span", { class: "picture", href: isSafe ? image.url : null, rel: "noreferrer noopener", target: "_blank", title: image.url });
  if (isSafe) {
    node.append(h("img", { src: image.url, alt: image.alt || file, loading: "lazy", referrerpolicy: "no-referrer",
      onerror: () => node.classList.add("broken") }));
  }
  node.append(image.alt || file);
  return node;
}

// ---- what changed within a text

function difference(before, after) {
  const a = before.match(/\s+|[\p{L}\p{N}]+|./gu) || [], b = after.match(/\s+|[\p{L}\p{N}]+|./gu) || [];
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const [gone, come] = x.length * y.length <= 250000 ? marked(x, y) : [x.map((t) => [t, true]), y.map((t) => [t, true])];
  const around = (middle, tag, tokens) => [a.slice(0, start).join(""), ...merged(middle, tag), tokens.slice(tokens.length - end).join("")];
  return [around(gone, "del", a), around(come, "ins", b)];
}
function marked(x, y) {
  // The longest common part, by the book; sizes are limited above.
  const width = y.length + 1, best = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) {
    best[i * width + j] = x[i] === y[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
  }
  const gone = [], come = [];
  let i = 0, j = 0;
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) { gone.push([x[i++], false]); come.push([y[j++], false]); }
    else if (j >= y.length || (i < x.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) gone.push([x[i++], true]);
    else come.push([y[j++], true]);
  }
  return [gone, come];
}
function merged(tokens, tag) {
  const parts = [];
  for (const [token, isNew] of tokens) {
    if (parts.length && parts[parts.length - 1][1] === isNew) parts[parts.length - 1][0] += token;
    else parts.push([token, isNew]);
  }
  return parts.map(([text, isNew]) => isNew ? h(tag, {}, text) : text);
}

// ---- where a row comes from

function drawTrace(trace) {
  const node = h("details", { class: "trace", ontoggle: () => {
    if (node.open && node.children.length === 1) node.append(...drawFacts(trace), drawFields(trace));
  } }, h("summary", {}, "Where it comes from, and what the shop shows"));
  return node;
}
function drawFacts(trace) {
  const facts = trace.reasons.map((reason) => `${reason}`);
  for (const one of trace.sources) facts.push(`Source document ${one.table} ${one.document_key}, landed ${one.landed_at}, version ${one.versions}${one.is_deleted ? ", deleted there" : ""}`);
  if (trace.ledger) facts.push(`In the shop as ${trace.ledger.remote_id}, last written ${trace.ledger.applied_at} by plan ${trace.ledger.plan_id}${trace.ledger.removed ? ", taken out" : ""}`);
  if (trace.last_operation) facts.push(`Last operation: ${trace.last_operation.action} ${trace.last_operation.status}, ${trace.last_operation.answered_at}${trace.last_operation.error ? ": " + trace.last_operation.error : ""}`);
  return facts.map((fact) => h("div", { class: "facts" }, fact));
}
function drawFields(trace) {
  const cells = (field) => ["source", "view", "answered", "live"].map((name) => h("td", { class: "value" }, field[name] === null ? "" : field[name].slice(0, 300)));
  return h("div", { class: "scroll" }, h("table", {},
    h("tr", {}, ["field", "in the document", "in the view", "answered to us", "live", "state"].map((name) => h("th", {}, name))),
    trace.fields.map((field) => h("tr", {}, h("td", {}, field.field), cells(field), h("td", {}, pill(field.state.replace(/ /g, "_"), field.state))))));
}

// ---- the page

function tables() {
  const drift = rows.flatMap((row) => row.findings.filter((one) => one.kind === "drift").map((one) => [row, one]));
  const bad = rows.flatMap((row) => [
    ...row.findings.filter((one) => ["refused", "gone"].includes(one.kind)).map((one) => [row, one.kind, one.message]),
    ...row.operations.filter((one) => one.error).map((one) => [row, one.status === "failed" ? "refused" : one.status, one.error + (one.error_field ? ` (field ${one.error_field})` : "")])]);
  const shown = 8;
  const link = (row) => h("button", { class: "link", onclick: choosing({ q: row.key }) }, row.name || row.key);
  const rest = (all, kind) => all.length > shown ? h("p", { class: "small" }, h("button", { class: "link", onclick: choosing({ kind }) }, `… and ${number(all.length - shown)} more, in the list below`)) : null;
  const table = (heads, lines) => h("div", { class: "scroll" }, h("table", {}, h("tr", {}, heads.map((head) => h("th", { class: head === "sync" || head === "we wrote" ? "wide" : null }, head))), lines));
  return [
    data.holds.length ? [h("h2", {}, `Waits for a person: ${number(data.tally.waits)} ${data.tally.waits === 1 ? "row" : "rows"}`),
      table(["row", "rule", "field", "in the shop", "would be", "why"], data.holds.map((one) => h("tr", {},
        h("td", {}, link(rows.find((row) => row.key === one.key && row.sync === one.sync) || one)), h("td", {}, one.rule), h("td", {}, one.field),
        h("td", { class: "value" }, show(one.before)), h("td", { class: "value" }, show(one.after)), h("td", { class: "value" }, one.message)))),
      command(`karvon approve --plan ${data.plan.id}`, "If they are right")] : [],
    data.causes.length ? [h("h2", {}, "Left alone, by cause"), table(["rows", "what", "sync", "why", "such as"], data.causes.map((one) =>
      h("tr", {}, h("td", {}, number(one.rows)), h("td", {}, pill(one.kind)), h("td", { class: "small wide" }, one.sync), h("td", { class: "value" }, one.message),
        h("td", {}, one.key ? link(rows.find((row) => row.key === one.key && row.sync === one.sync) || one) : ""))))] : [],
    drift.length ? [h("h2", {}, `Edited in the shop: ${number(drift.length)}`), table(["row", "field", "what is there now", "we wrote", "will be"],
      drift.slice(0, shown).map(([row, one]) => driftLine(row, one, link))), rest(drift, "drift")] : [],
    bad.length ? [h("h2", {}, `Refused or not sent: ${number(bad.length)}`), table(["row", "what", "in the words of the destination"],
      bad.slice(0, shown).map(([row, kind, message]) => h("tr", {}, h("td", {}, link(row)), h("td", {}, pill(kind)), h("td", { class: "value" }, message)))), rest(bad, bad[0][1])] : [],
  ].flat();
}
function driftLine(row, one, link) {
  const same = (each) => each.field === one.field;
  const change = row.operations.flatMap((each) => each.changes).find(same);
  const mine = (each) => each.sync === row.sync && each.key === row.key && same(each);
  const [stored, hold] = [data.drift.find(mine), data.holds.find(mine)];
  const found = stored ? stored.found : change ? change.before : hold ? hold.before : one.message;
  const ours = stored ? stored.ours : change ? change.ours : null;
  return h("tr", {}, h("td", {}, link(row)), h("td", {}, one.field || ""), h("td", { class: "value" }, show(found)),
    h("td", { class: "value wide" }, show(ours)), h("td", { class: "value" }, change ? show(change.after) : hold ? ["waits: ", ...show(hold.after)] : "left as it is"));
}
function summary() {
  const { plan, counts } = data;
  const operations = data.rows.reduce((sum, row) => sum + row.operations.length, 0);
  const of = (...kinds) => rows.filter((row) => kinds.some((kind) => row.kinds.has(kind))).length;
  const tile = (value, text) => h("div", { class: "tile" }, h("b", {}, value), h("span", { class: "soft small" }, text));
  const total = (sync, kind, count) => {
    const text = `${number(count)} ${words(kind)}`;
    return rows.some((row) => row.sync === sync && row.kinds.has(kind))
      ? h("button", { class: `pill ${kind}`, onclick: choosing({ sync, kind }) }, text) : pill(kind, text);
  };
  return [
    h("div", { class: "head" }, h("h1", {}, `Plan ${plan.id}`), pill(plan.status),
      h("span", { class: "soft small" }, `${time(plan.created_at)} · ${plan.profile} · Karvon ${plan.version}`)),
    h("div", { class: "tiles" }, tile(number(operations), operations === 1 ? "change" : "changes"), tile(number(plan.requests), "requests"),
      tile(plan.minutes < 1 && plan.requests ? "< 1" : number(plan.minutes), "minutes at the rate limit"),
      tile(number(data.tally.not_ready), "rows not ready"), tile(number(data.tally.waits), data.tally.waits === 1 ? "row waits for a person" : "rows wait for a person"),
      tile(number(data.tally.refused), "rows refused"), tile(number(of("drift")), "rows edited there")),
    h("div", { class: "scroll" }, h("table", {}, Object.entries(counts).map(([sync, kinds]) => h("tr", {},
      h("td", { class: "mono" }, sync), h("td", {}, h("div", { class: "chips" }, Object.entries(kinds).map(([kind, rowsOf]) => total(sync, kind, rowsOf)))))))),
    data.measures.length ? measured(data.measures) : null,
    data.guards.map((one) => h("p", { class: "callout bad" }, h("b", {}, `Blocked by ${one.guard} of ${one.sync}`), h("br"), one.message)),
    plan.status === "ready" || plan.status === "partial" || plan.status === "stopped" ? command(`karvon apply ${plan.id}`, "Apply exactly this") : null,
    plan.status === "blocked" ? command(`karvon apply ${plan.id} --override-guards`, "If the plan is right") : null,
  ].flat();
}
function measured(measures) {
  const heads = Object.keys(measures[0]);
  return h("details", { class: "trace" }, h("summary", {}, `Parity and edit-to-live clock: ${measures.map((one) => `${one.sync} ${one.parity || "–"}`).join(" · ")}`),
    h("div", { class: "scroll" }, h("table", {}, h("tr", {}, heads.map((head) => h("th", {}, head))),
      measures.map((one) => h("tr", {}, heads.map((head) => h("td", {}, one[head])))))));
}
function command(text, label) {
  const copy = h("button", { onclick: () => navigator.clipboard.writeText(text).then(() => { copy.textContent = "Copied"; }) }, "Copy");
  return h("div", { class: "command" }, h("span", { class: "soft small" }, label), h("code", {}, text), copy);
}

readAddress();
document.getElementById("page").append(...[...summary(), ...tables()].filter(Boolean),
  h("h2", {}, "Row by row"),
  h("div", { class: "filter" }, search, selects.sync, selects.kind, selects.field,
    h("label", {}, waits, "waits or drift"), h("button", { id: "clear", onclick: choosing({}) }, "Clear")),
  count, list, more,
  h("p", { class: "foot" }, "Pictures come from where they are, when a row with them is opened; nothing else leaves this page. ",
    `The first ${number(data.plan.explained)} rows are explained field by field; for any other: karvon explain KEY.`));
showFilter();
draw();
window.addEventListener("hashchange", () => { readAddress(); showFilter(); draw(); });
