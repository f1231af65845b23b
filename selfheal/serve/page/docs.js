// Shows openapi.json to a person: every operation with its parameters, its body and its answers.
"use strict";

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const nameOf = (ref) => ref.split("/").pop();

function typeOf(schema) {
  if (!schema) return "";
  if (schema["$ref"]) return nameOf(schema["$ref"]);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "values"}`;
  if (schema.additionalProperties && schema.additionalProperties !== true) return `table of ${typeOf(schema.additionalProperties)}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type || "any";
}

function typeNode(schema) {
  const text = typeOf(schema);
  const ref = schema && (schema["$ref"] || (schema.items && schema.items["$ref"]));
  return ref ? h("a", { href: `#schema-${nameOf(ref)}` }, text) : h("span", {}, text);
}

function table(head, rows) {
  return h("div", { class: "scroll" }, h("table", { class: "plain" },
    h("thead", {}, h("tr", {}, ...head.map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, ...rows)));
}

function parameters(list) {
  if (!list || !list.length) return null;
  return table(["Parameter", "In", "Type", "Meaning"], list.map((one) => h("tr", {},
    h("td", {}, h("code", {}, one.name)), h("td", {}, one.in), h("td", {}, typeNode(one.schema)), h("td", {}, one.description || ""))));
}

function answers(responses) {
  return table(["Status", "Answer", "Type"], Object.entries(responses).map(([status, one]) => {
    const content = Object.values(one.content || {})[0];
    return h("tr", {}, h("td", {}, h("code", {}, status)), h("td", {}, one.description || ""), h("td", {}, content ? typeNode(content.schema) : ""));
  }));
}

function operation(method, path, one) {
  const body = one.requestBody && Object.values(one.requestBody.content)[0];
  return h("details", { class: "operation", id: one.operationId },
    h("summary", {}, h("b", { class: `method ${method}` }, method.toUpperCase()), " ", h("code", {}, path), " ", h("span", { class: "quiet" }, one.summary || "")),
    h("p", {}, one.description || ""),
    parameters(one.parameters),
    body ? h("p", {}, "Body: ", typeNode(body.schema)) : null,
    answers(one.responses));
}

function schemaNode(name, schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([key, one]) => h("tr", {},
    h("td", {}, h("code", {}, key), required.has(key) ? "" : " (optional)"), h("td", {}, typeNode(one)), h("td", {}, one.description || "")));
  return h("details", { class: "operation", id: `schema-${name}` },
    h("summary", {}, h("code", {}, name), " ", h("span", { class: "quiet" }, (schema.description || "").split("\n")[0])),
    rows.length ? table(["Field", "Type", "Meaning"], rows) : h("p", {}, typeOf(schema)));
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) { target.open = true; target.scrollIntoView(); }
}

async function show() {
  const main = document.getElementById("docs");
  const answer = await fetch("/openapi.json", { headers: { Accept: "application/json" } });
  if (answer.status === 401) { location.assign("/login"); return; }
  const api = await answer.json();
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const tag = (one.tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), operation(method, path, one)]);
    }
  }
  main.replaceChildren(
    h("h1", {}, `The API of selfheal ${api.info.version}`),
    ...(api.info.description || "").split("\n\n").map((text) => h("p", {}, text)),
    ...[...groups].map(([tag, nodes]) => h("section", {}, h("h2", {}, tag), ...nodes)),
    h("section", {}, h("h2", {}, "Schemas"), ...Object.entries(api.components.schemas).map(([name, one]) => schemaNode(name, one))));
  openTarget();
}

window.addEventListener("hashchange", openTarget);
show().catch((why) => document.getElementById("docs").replaceChildren(h("p", { class: "empty" }, `The description could not be read: ${why.message}`)));
