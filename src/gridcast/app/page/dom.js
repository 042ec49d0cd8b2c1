// Elements made from text; nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  good: ["M2.5 7.5 6 11l6-7.5"],
  warn: ["M7 1.5 13 12.5H1z", "M7 5.5v3", "M7 10.7v.1"],
  bad: ["M4.4 1.2h5.2L13 4.6v4.8L9.6 12.8H4.4L1 9.4V4.6z", "M4.8 4.8l4.4 4.4", "M9.2 4.8 4.8 9.2"],
  wait: ["M7 1.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 1 0 7 1.2z", "M7 4v3.2l2.2 1.4"],
};

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

export function icon(kind) {
  const drawing = svg("svg", { class: `icon is-${kind}`, viewBox: "0 0 14 14", "aria-hidden": "true" });
  drawing.append(...ICONS[kind].map((d) => svg("path", { d })));
  return drawing;
}

// A part of a whole as a bar; the number stands beside it as text.
export function bar(share, { className }) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "bar-back", width: 100, height: 10 }),
    svg("rect", { class: `bar-fill ${className}`, width, height: 10 }));
}

// `columns`: heading, cell of a row, and whether it is text; the first is the heading of its row. `isStacked`: on narrow
// screens a row becomes a block; the roles tell that it is a table all the same.
export function table(rows, { caption, columns, isStacked = false }) {
  const head = columns.map((each) => element("th", { scope: "col", role: "columnheader", class: each.isText ? "text" : "" }, each.heading));
  const body = rows.map((row) => element("tr", { role: "row" }, ...columns.map((each, at) => at === 0
    ? element("th", { scope: "row", role: "rowheader" }, each.cell(row))
    : element("td", { role: "cell", class: each.isText ? "text" : "", "data-heading": each.heading }, each.cell(row)))));
  return element("table", { role: "table", class: isStacked ? "stacked" : "" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)),
    element("tbody", { role: "rowgroup" }, ...body));
}

export const empty = (text) => element("p", { class: "empty" }, text);

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false && value !== "") made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return made;
}
