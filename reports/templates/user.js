"use strict";
/* global Plot */
// Everything of others is set as text, never as markup. Amounts are added as whole ten-thousandths, so that sums are exact.
const data = JSON.parse(document.getElementById("content").textContent);
const RANGES = [7, 30, 90], THEMES = ["auto", "light", "dark"];
const page = document.getElementById("page");

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// ---- numbers and days as people read them

const exact = (text) => BigInt(text.replace(".", ""));
const decimal = (units) => {
  const digits = String(units < 0n ? -units : units).padStart(5, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
};
const number = (value) => value.toLocaleString("en");
function money(text, currency = data.user.currency, digits = data.user.digits) {
  // Cents say nothing in sums of hundred thousands, and take the room of the rest.
  const shown = Math.abs(Number(text)) >= 100000 ? 0 : digits;
  return new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: shown, maximumFractionDigits: shown }).format(text);
}
const brief = (text) => Math.abs(Number(text)) < 10000000 ? money(text)
  : new Intl.NumberFormat("en", { style: "currency", currency: data.user.currency, notation: "compact", maximumFractionDigits: 2 }).format(text);
const compact = (value) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)}%`;
const date = (iso, options) => new Date(iso).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
const longDay = (iso) => date(iso, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const shortDay = (iso) => date(iso, { day: "numeric", month: "short", year: "numeric" });
const moment = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;

// ---- what is chosen, kept in the address so that a view can be passed on

const chosen = { days: 30, theme: "auto" };
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  chosen.days = RANGES.includes(Number(given.get("days"))) ? Number(given.get("days")) : 30;
  chosen.theme = THEMES.includes(given.get("theme")) ? given.get("theme") : "auto";
}
function choose(changes) {
  Object.assign(chosen, changes);
  history.replaceState(null, "", "#" + new URLSearchParams(chosen));
  draw();
}

// ---- the figures of a range

const inRange = (rows) => {
  const from = data.days.length ? data.days.at(-Math.min(chosen.days, data.days.length)).metric_date : "";
  return rows.filter((row) => row.metric_date >= from);
};
const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);
const sumExact = (rows, name) => rows.reduce((total, row) => total + exact(row[name]), 0n);
function totals(rows) {
  const [net, gross, refunded] = ["net_amount", "gross_amount", "refunded_amount"].map((name) => sumExact(rows, name));
  const [orders, leads, converted, firsts] = ["order_count", "lead_count", "converted_lead_count", "first_order_count"].map((name) => sum(rows, name));
  return { net, gross, refunded, orders, leads, converted, firsts,
    average: orders ? gross / BigInt(orders) : null, conversion: leads ? converted / leads : null };
}

// ---- tiles

function tile(id, name, value, plain, change, hint) {
  return h("div", { class: "tile", id, "data-value": plain, title: `${hint}: ${plain}` }, h("span", { class: "soft small" }, name), h("b", {}, value), change);
}
function change(now, before, fewerIsBetter) {
  if (now === null || !Number(before || 0)) return h("span", { class: "small soft" }, "nothing to compare");
  const share = (Number(now) - Number(before)) / Math.abs(Number(before));
  if (Math.abs(share) < 0.0005) return h("span", { class: "small soft" }, "as before");
  const better = fewerIsBetter ? share < 0 : share > 0;
  return h("span", { class: `small ${Math.abs(share) < 0.005 ? "soft" : better ? "up" : "down"}`, title: `against the ${chosen.days} days before` },
    `${share >= 0 ? "▲" : "▼"} ${percent(Math.abs(share), Math.abs(share) < 0.1 ? 1 : 0)}`);
}
const began = (data.days.find((row) => row.lead_count || row.order_count || row.new_customer_count) || { metric_date: "" }).metric_date;
function tiles(rows, earlier) {
  // Days before the first figure would make everything look like growth.
  const now = totals(rows), before = totals(earlier.length && earlier[0].metric_date >= began ? earlier : []);
  const amount = (units) => units === null ? ["–", ""] : [brief(decimal(units)), decimal(units)];
  return h("section", { class: "tiles", "aria-label": "Totals" },
    tile("net", "Net revenue", ...amount(now.net), change(now.net, before.net), "paid less paid back"),
    tile("orders", "Orders", number(now.orders), now.orders, change(now.orders, before.orders), "paid orders"),
    tile("average", "Average order", ...amount(now.average), change(now.average, before.average), "gross per order"),
    tile("refunded", "Refunds", ...amount(now.refunded), change(now.refunded, before.refunded, true), "counted on the day they were paid back"),
    tile("firsts", "New customers", number(now.firsts), now.firsts, change(now.firsts, before.firsts), "persons who ordered for the first time"),
    now.leads || before.leads
      ? tile("conversion", "Leads converted", now.conversion === null ? "–" : percent(now.conversion), now.conversion, change(now.conversion, before.conversion), `${number(now.converted)} of ${number(now.leads)} leads`)
      : tile("gross", "Gross revenue", ...amount(now.gross), change(now.gross, before.gross), "paid"));
}

// ---- charts of days: bars that stand on each other, a line over them, the day's figures where the pointer is

const HALF_DAY = 43200000;
function dayChart(id, title, rows, series, options = {}) {
  const holder = h("div", { class: "chart", id });
  const keys = series.map((one) => h("span", {}, h("i", { class: one.isLine && "stroke" }), one.name));
  keys.forEach((key, place) => key.firstChild.style.setProperty("--tone", series[place].tone));
  const card = h("section", { class: "card", "aria-label": title },
    h("header", {}, h("h2", {}, title), h("span", { class: "keys" }, keys)), holder);
  charts.push(() => holder.replaceChildren(plot(rows, series, holder.clientWidth, options)));
  return card;
}
function plot(rows, series, width, { isWide, format = number, extra }) {
  const days = rows.map((row) => ({ row, start: new Date(row.metric_date), middle: new Date(Date.parse(row.metric_date) + HALF_DAY), end: new Date(Date.parse(row.metric_date) + 2 * HALF_DAY) }));
  const gap = width / rows.length > 6 ? 1 : 0.5;
  const marks = [];
  const tops = days.map(() => 0);
  for (const one of series.filter((each) => !each.isLine)) {
    const bars = days.map((day, place) => {
      const value = one.sign * Number(one.of(day.row));
      const from = one.sign < 0 ? 0 : tops[place];
      if (one.sign > 0) tops[place] += value;
      return { ...day, from, to: from + value };
    });
    marks.push(Plot.rect(bars, { x1: "start", x2: "end", y1: "from", y2: "to", fill: one.tone, insetLeft: gap, insetRight: gap, rx: 1.5,
      ariaLabel: (bar) => `${one.name} ${bar.row.metric_date}: ${one.of(bar.row)}` }));
  }
  for (const one of series.filter((each) => each.isLine)) {
    marks.push(Plot.lineY(days, { x: "middle", y: (day) => Number(one.of(day.row)), stroke: one.tone, strokeWidth: 1.75, strokeLinejoin: "round" }));
  }
  const told = (day) => [longDay(day.row.metric_date), ...series.map((one) => `${one.name}: ${format(one.of(day.row))}`), ...(extra ? extra(day.row) : [])].join("\n");
  marks.push(Plot.ruleY([0], { stroke: "var(--line)" }),
    Plot.ruleX(days, Plot.pointerX({ x: "middle", maxRadius: Infinity, stroke: "var(--soft)", strokeOpacity: 0.5 })),
    Plot.tip(days, Plot.pointerX({ x: "middle", maxRadius: Infinity, y: (day, place) => tops[place], title: told, fill: "var(--card)", stroke: "var(--line)", fontSize: 12.5 })));
  return Plot.plot({ className: "plot", width, height: isWide ? 270 : 200, marginLeft: 44, marginRight: 8, marginTop: 12, marginBottom: 26,
    x: { type: "utc", label: null, ticks: Math.min(rows.length, Math.floor(width / 75)) }, y: { label: null, grid: true, ticks: 4, tickFormat: compact, nice: true }, marks });
}
const series = (name, column, tone, more) => ({ name, of: (row) => row[column], tone, sign: 1, ...more });

// ---- cohorts, sources, tables

function cohortCard() {
  if (!data.cohorts.length) return null;
  const months = [...new Set(data.cohorts.map((one) => one.cohort_month))];
  const last = Math.max(...data.cohorts.map((one) => one.month_number));
  const at = new Map(data.cohorts.map((one) => [`${one.cohort_month}/${one.month_number}`, one]));
  const later = data.cohorts.filter((one) => one.month_number > 0).map((one) => Number(one.share));
  const top = Math.max(0.01, ...later);
  const numbers = Array.from({ length: last + 1 }, (_, nth) => nth);
  const lastMonth = data.days.at(-1).metric_date.slice(0, 7);
  const isOver = (month, nth) => new Date(Date.UTC(month.slice(0, 4), Number(month.slice(5, 7)) - 1 + nth)).toISOString().slice(0, 7) <= lastMonth;
  const cell = (month, nth) => {
    const one = at.get(`${month}/${nth}`);
    if (!one) return isOver(month, nth) ? h("td", { class: "soft" }, "0%") : h("td", {});
    const heat = nth ? Number(one.share) / top : 0;
    const told = `${one.customer_count} of those who first ordered in ${date(month, { month: "long", year: "numeric" })} ordered ${nth ? `${nth} month${nth > 1 ? "s" : ""} later` : "then"}`;
    const node = h("td", { class: nth ? `hot ${heat > 0.6 ? "strong" : ""}` : "soft", title: told, "data-cohort": `${month}/${nth}`, "data-count": one.customer_count },
      nth ? percent(Number(one.share), 0) : number(one.customer_count));
    node.style.setProperty("--heat", `${Math.round(8 + heat * 80)}%`);
    return node;
  };
  return h("section", { class: "card", id: "cohorts", "aria-label": "Cohorts" },
    h("header", {}, h("h2", {}, "Who comes back"), h("span", { class: "soft small" }, "share of the customers of a month who ordered again so many months later")),
    h("div", { class: "scroll" }, h("table", { class: "heat" },
      h("thead", {}, h("tr", {}, h("th", {}, "First order"), numbers.map((nth) => h("th", {}, nth ? `+${nth}` : "customers")))),
      h("tbody", {}, months.map((month) => h("tr", {}, h("td", {}, date(month, { month: "short", year: "numeric" })), numbers.map((nth) => cell(month, nth))))))));
}

function standing(source) {
  if (source.outcome === null) return ["wait", "not read", "no run is known"];
  if (source.outcome === "complete") return ["good", "fine", ""];
  if (source.outcome === "capped") return ["wait", "capped", source.error];
  if (source.next_try_at === null) return ["bad", "paused", `${source.error} It waits for a person.`];
  return ["bad", "failing", `${source.error} Failed ${source.failures} time${source.failures > 1 ? "s" : ""}; tried again ${moment(source.next_try_at)}.`];
}
function table(id, heads, rows, kind) {
  return h("div", { class: "scroll" }, h("table", { class: kind, id },
    h("thead", {}, h("tr", {}, heads.map(([name, where]) => h("th", { class: where }, name)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => cell instanceof Node ? cell
      : h("td", { class: heads[place][1], "data-name": place && heads[place][0] ? heads[place][0] : null }, cell)))))));
}
function sourceCard() {
  const mine = inRange(data.by_source);
  const isTroubled = data.sources.some((source) => standing(source)[2]);
  const rows = data.sources.map((source) => {
    const days = mine.filter((row) => row.source_id === source.source_id);
    const [tone, word, why] = standing(source);
    return [source.source_id, h("td", { class: "left" }, h("span", { class: `pill ${tone}` }, word)),
      source.finished_at ? moment(source.finished_at) : "–", source.landed_at ? moment(source.landed_at) : "–", number(source.records), number(source.rejected),
      number(sum(days, "lead_count")), number(sum(days, "order_count")), money(decimal(sumExact(days, "net_amount"))), ...(isTroubled ? [h("td", { class: "words" }, why)] : [])];
  });
  return h("section", { class: "card", "aria-label": "Sources" },
    h("header", {}, h("h2", {}, "Sources"), h("span", { class: "soft small" }, `leads, orders and net of the last ${chosen.days} days`)),
    table("sources", [["Source"], ["State", "left"], ["Last read"], ["Last change"], ["Records"], ["Rejected"], ["Leads"], ["Orders"], ["Net"], ...(isTroubled ? [["", "left"]] : [])], rows, "stacked"));
}
function currencyCard() {
  const mine = inRange(data.by_currency);
  const names = [...new Set(mine.map((row) => row.currency))];
  if (!names.some((name) => name !== data.user.currency)) return null;
  const rows = names.map((name) => {
    const days = mine.filter((row) => row.currency === name);
    const amount = (column) => money(decimal(sumExact(days, column)), name, 2);
    return [name, number(sum(days, "order_count")), amount("gross_amount"), amount("refunded_amount"), amount("net_amount")];
  });
  return h("section", { class: "card", "aria-label": "Currencies" }, h("header", {}, h("h2", {}, "In the currencies of the orders")),
    table("currencies", [["Currency"], ["Orders"], ["Gross"], ["Refunds"], ["Net"]], rows));
}
function rejectCard() {
  if (!data.rejects.length) return null;
  return h("section", { class: "card", "aria-label": "Rejected records" },
    h("header", {}, h("h2", {}, "Records that take no part"), h("span", { class: "soft small" }, "the most frequent reasons")),
    table("rejects", [["List"], ["Records"], ["", "left"]], data.rejects.map((one) =>
      [`${one.source_id} / ${one.resource}`, number(one.records), h("td", { class: "words" }, one.reject_reasons)]), "stacked"));
}
function dayTable(rows) {
  const node = h("details", { class: "card", id: "table", ontoggle: () => {
    if (!node.open || node.querySelector("table")) return;
    node.append(table("days", [["Day"], ["Gross"], ["Refunds"], ["Net"], ["Orders"], ["First orders"], ["Leads"], ["Converted"]], rows.toReversed().map((row) =>
      [row.metric_date, money(row.gross_amount), money(row.refunded_amount), money(row.net_amount), number(row.order_count), number(row.first_order_count), number(row.lead_count), number(row.converted_lead_count)])));
  } }, h("summary", {}, "Days as a table"));
  return node;
}
function callouts(rows) {
  const troubled = data.sources.filter((source) => standing(source)[0] === "bad").map((source) => source.source_id);
  const lost = sum(rows, "unconverted_order_count");
  const age = data.days.length ? Math.floor((Date.parse(data.made_at) - Date.parse(data.days.at(-1).metric_date)) / (2 * HALF_DAY)) : 0;
  return [
    !data.days.length && h("p", { class: "callout wait" }, "No figures yet: no source has given a lead, a customer or an order that could be read."),
    troubled.length && h("p", { class: "callout bad" }, `${troubled.length} of ${data.sources.length} sources cannot be read: ${troubled.join(", ")}. See below.`),
    lost && h("p", { class: "callout wait" }, `${number(lost)} orders have no exchange rate to ${data.user.currency}; their amounts are in no sum.`),
    age > 2 && h("p", { class: "callout wait" }, `The newest day with figures is ${age} days before this page was made.`),
  ].filter(Boolean);
}

// ---- the page

let charts = [];
function head(rows) {
  const span = rows.length ? `${shortDay(rows[0].metric_date)} – ${shortDay(rows.at(-1).metric_date)} · ` : "";
  return h("header", { class: "top" },
    h("div", {}, h("h1", {}, data.user.title), h("div", { class: "soft small", id: "span" }, `${span}days of ${data.user.zone} · amounts in ${data.user.currency}`)),
    h("div", { class: "switches" },
      h("div", { class: "group", role: "group", "aria-label": "Range" }, RANGES.map((days) =>
        h("button", { id: `days-${days}`, "aria-pressed": String(chosen.days === days), onclick: () => choose({ days }) }, `${days} days`))),
      h("button", { id: "theme", title: "Light, dark, or as the device is", onclick: () => choose({ theme: THEMES[(THEMES.indexOf(chosen.theme) + 1) % 3] }) }, { auto: "◐ auto", light: "○ light", dark: "● dark" }[chosen.theme])));
}
function draw() {
  if (chosen.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen.theme;
  const rows = data.days.slice(-chosen.days), before = data.days.slice(-2 * chosen.days, -chosen.days);
  charts = [];
  const returning = (row) => row.active_customer_count - row.first_order_count;
  const hasLeads = sum(data.days, "lead_count") > 0;
  const conversion = (row) => row.lead_count ? [`Converted: ${percent(row.converted_lead_count / row.lead_count)}`] : [];
  page.replaceChildren(head(rows), ...callouts(rows), ...(rows.length ? [
    tiles(rows, before),
    dayChart("revenue", "Revenue per day", rows, [series("Gross", "gross_amount", "var(--pale)"), series("Refunds", "refunded_amount", "var(--red)", { sign: -1 }),
      series("Net", "net_amount", "var(--blue)", { isLine: true })], { isWide: true, format: (text) => money(text) }),
    h("div", { class: "grid" },
      dayChart("orders-chart", "Orders", rows, [series("Orders", "order_count", "var(--blue)")]),
      dayChart("customers", "Customers who ordered", rows, [series("First order", "first_order_count", "var(--green)"), { ...series("Came back", "", "var(--pale)"), of: returning }]),
      hasLeads ? dayChart("leads", "Leads", rows, [series("Converted by now", "converted_lead_count", "var(--blue)"),
        { ...series("Others", "", "var(--pale)"), of: (row) => row.lead_count - row.converted_lead_count }], { extra: conversion }) : null)] : []),
  ...[rows.length && cohortCard(), sourceCard(), rows.length && currencyCard(), rejectCard(), rows.length && dayTable(rows)].filter(Boolean),
  h("p", { class: "foot" }, `Made by Karvon on ${moment(data.made_at)}. A refund counts on the day it was paid back; leads count as converted when their source says so or the person has ordered since. The file needs no network and holds no personal data.`));
  charts.forEach((one) => one());
}
let width = 0;
new ResizeObserver(() => {
  if (Math.abs(page.clientWidth - width) < 2) return;
  width = page.clientWidth;
  charts.forEach((one) => one());
}).observe(page);
addEventListener("hashchange", () => { readAddress(); draw(); });
readAddress();
draw();
