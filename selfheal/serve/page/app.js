// Keeps the page true: reads the fleet, listens to the event stream, reads again when something happened.
"use strict";

const STALE_AFTER = 5000; // ms without an answer until the page says that it may be old
const UNHEARD_AFTER = 15000; // ms without a word of the daemon at its gateway: five pushes
const GATHER = 250; // ms in which events are gathered into one reading
const AT_LEAST_EVERY = 15000; // ms; signals and forecasts change without an event
const INCIDENTS = 30;
const ANOMALIES = 8;
const SURE_FOR = 4000; // ms in which a second press confirms

const mayControl = document.body.dataset.control === "yes";
const $ = (id) => document.getElementById(id);
const opened = new Map(); // incident id -> whether the reader opened or closed it
const stories = new Map();
const rankings = new Map(); // incident id -> where its cause may lie
const lastStates = new Map(); // agent -> state, to tell what changed
let answered = false;

// --- building --------------------------------------------------------------------------------------------------------

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Gives `parent` one child for each item, in order. A child whose item did not change stays, with its focus.
function sync(parent, items, keyOf, make) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const print = JSON.stringify(item);
    let child = before.get(key);
    if (!child || child.dataset.print !== print) {
      const fresh = make(item);
      fresh.dataset.key = key;
      fresh.dataset.print = print;
      if (child) {
        const focused = child.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        if (child === place) place = fresh;
        child.replaceWith(fresh);
        if (focused) fresh.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
      }
      child = fresh;
    }
    before.delete(key);
    if (child === place) place = child.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  before.forEach((child) => child.remove());
  while (place) { const next = place.nextElementSibling; place.remove(); place = next; }
}

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.1) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 10) return `${(Math.round(seconds * 10) / 10).toString()} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const percent = (share, digits = 0) => `${(share * 100).toFixed(digits).replace(/\.0+$/, "")} %`;
const chance = (probability) => probability < 0.995 ? percent(probability) : "over 99 %"; // nothing foreseen is certain
const words = (slug) => slug.replaceAll("_", " ");
const ageOf = (time) => Math.max(0, (Date.now() + skew - Date.parse(time)) / 1000);
let skew = 0; // the daemon's clock less ours

function age(time, suffix) {
  if (!time) return h("span", {}, "");
  const at = new Date(time);
  return h("time", { datetime: time, title: `${at.toLocaleString()} (${time})`, "data-suffix": suffix || "" }, span(ageOf(time)) + (suffix || ""));
}

const stateOf = (state) => h("span", { class: "state", "data-state": state }, words(state));

// --- acting ----------------------------------------------------------------------------------------------------------

async function order(path, button, body) {
  button.disabled = true;
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "X-Selfheal": "1", "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const said = await answer.json();
    notice(answer.ok ? said.message : said.detail);
  } catch (why) {
    notice(`The daemon did not answer: ${why.message}`);
  } finally {
    button.disabled = false;
    readSoon();
  }
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { $("notice").hidden = true; }, 8000);
}

// A button that asks once more in its own place before it does what cannot be taken back.
function careful(label, sure, act, name) {
  const button = h("button", { type: "button", "data-focus": name, "aria-label": name }, label);
  let timer = null;
  const calm = () => { timer = null; button.textContent = label; button.classList.remove("sure"); };
  button.addEventListener("click", () => {
    if (timer === null) {
      button.textContent = sure;
      button.classList.add("sure");
      timer = setTimeout(calm, SURE_FOR);
    } else {
      clearTimeout(timer);
      calm();
      act(button);
    }
  });
  return button;
}

function decision(incident, verb, kind) {
  const label = verb[0].toUpperCase() + verb.slice(1);
  const button = h("button", { type: "button", class: kind, "data-focus": verb, "aria-label": `${label} ${incident.approval.fix} of ${incident.approval.agent}` }, label);
  button.addEventListener("click", () => order(`/control/incidents/${encodeURIComponent(incident.id)}/${verb}`, button));
  return button;
}

function verdict(incident, text, truth) {
  const button = h("button", { type: "button", "data-focus": text }, text);
  button.addEventListener("click", () => order(`/control/incidents/${encodeURIComponent(incident.id)}/cause`, button, truth));
  return button;
}

// --- showing ---------------------------------------------------------------------------------------------------------

function restOf(all, resting) {
  if (resting === all) return all === 1 ? "the agent is stopped" : "all agents are stopped";
  if (resting > 0) return `${all - resting} of ${all} agents ${all - resting === 1 ? "is" : "are"} well, the others are stopped`;
  return all === 1 ? "the agent is well" : `all ${all} agents are well`;
}

function showVerdict(summary) {
  const states = summary.agents.by_state;
  const wrong = summary.agents.total - states.healthy - states.stopped - states.maintenance;
  const all = summary.agents.total;
  const sentence = all === 0 ? "no agents yet"
    : wrong === 0 ? restOf(all, states.stopped + states.maintenance)
    : all === 1 ? "the agent is not well"
    : `${wrong} of ${all} agents ${wrong === 1 ? "is" : "are"} not well`;
  const line = [summary.paused ? "healing is paused" : null, summary.dry_run ? "dry run: nothing is done" : null, summary.trouble ? `nothing can be saved: ${summary.trouble}` : null];
  const text = [sentence, ...line].filter(Boolean).join(" · ");
  const verdict = $("verdict");
  if (verdict.dataset.status !== summary.status || verdict.lastElementChild.textContent !== text) {
    verdict.dataset.status = summary.status;
    verdict.replaceChildren(h("b", { class: "status" }, summary.status), " ", h("span", {}, text));
  }
  document.title = summary.status === "ok" ? "selfheal" : `${summary.status} – selfheal`;
  const toggle = $("switch");
  toggle.hidden = !mayControl || heardAt !== null; // a gateway passes decisions on, and no other orders
  toggle.textContent = summary.paused ? "Resume healing" : "Pause healing";
  toggle.dataset.order = summary.paused ? "resume" : "pause";
  $("about").textContent = `selfheal ${summary.version}, up ${span(summary.uptime_seconds)}`;
}

function showFigures(summary) {
  const recovery = summary.recovery;
  const uptime = summary.scorecard.uptime;
  const figures = [
    ["Healthy", `${summary.agents.by_state.healthy} of ${summary.agents.total}`, summary.ready ? "all are looked at" : "the first look is not done"],
    ["Incidents", `${summary.incidents.open} open`, `${summary.incidents.last_24h} within 24 h`],
    ["Recovery", recovery.p95_seconds === null ? "–" : span(recovery.p95_seconds), recovery.count ? `95 % are faster, of ${recovery.count}` : "nothing recovered yet"],
    ["Not as usual", `${summary.anomalies.open}`, `${summary.anomalies.last_hour} within the hour`],
    ["Foreseen", `${summary.predictions.total}`, `${summary.predictions.high_risk} likely`],
    ["Uptime", uptime && uptime.value !== null ? percent(uptime.value, 2) : "–", "healthy while wanted up"],
  ];
  sync($("figures"), figures, (one) => one[0], ([name, value, more]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, more))));
}

function agentRow(agent) {
  const risk = agent.risk > 0 ? h("span", { class: agent.risk >= 0.7 ? "risk high" : "risk" }, chance(agent.risk)) : null;
  const path = `/control/agents/${encodeURIComponent(agent.name)}`;
  const act = agent.state === "stopped" && !agent.wanted
    ? careful("Start", "Start it?", (button) => order(`${path}/start`, button), `Start ${agent.name}`)
    : careful("Restart", "Restart it?", (button) => order(`${path}/restart`, button), `Restart ${agent.name}`);
  const why = agent.reason || (agent.next_start_at ? "restart is delayed" : "");
  return h("tr", {},
    h("td", {}, stateOf(agent.state)),
    h("th", { scope: "row" }, agent.name, agent.paused ? h("span", { class: "tag" }, "healing paused") : null),
    h("td", { class: "since" }, age(agent.since)),
    h("td", { class: "number" }, agent.pid === null ? "" : String(agent.pid)),
    h("td", { class: "number" }, String(agent.restarts)),
    h("td", { class: "risky" }, risk),
    h("td", { class: "why" }, why),
    h("td", { class: "act" }, mayControl && heardAt === null && agent.kind === "process" ? act : null));
}

// What a row shows; signals, checks and uptimes change all the time and are not on the page.
const shownOf = (agent) => Object.fromEntries(["name", "kind", "state", "since", "pid", "restarts", "risk", "reason", "paused", "wanted", "next_start_at"].map((key) => [key, agent[key]]));
const WORST_FIRST = ["quarantined", "unhealthy", "degraded", "recovering", "starting", "maintenance", "healthy", "stopped"];

function showAgents(agents) {
  const wanted = $("filter").value.trim().toLowerCase();
  const seen = agents.filter((agent) => !wanted || `${agent.name} ${agent.state}`.toLowerCase().includes(wanted));
  seen.sort((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));
  sync($("agents").tBodies[0], seen.map(shownOf), (agent) => agent.name, agentRow);
  $("agents").hidden = agents.length === 0;
  $("no-agents").hidden = agents.length > 0;
  const news = [];
  for (const agent of agents) {
    const before = lastStates.get(agent.name);
    if (before && before !== agent.state) news.push(`${agent.name} is ${words(agent.state)}`);
    lastStates.set(agent.name, agent.state);
  }
  if (news.length) $("news").textContent = news.slice(0, 5).join(", ");
}

const isOver = (incident) => incident.state === "resolved" || incident.state === "suppressed";

function headline(incident) {
  if (incident.state === "resolved") {
    const fixes = [...new Set(incident.attempts.filter((one) => one.outcome === "succeeded").map((one) => one.fix))];
    return `${words(incident.cause)}; recovered in ${span(incident.recovery_seconds)}${fixes.length ? ` by ${fixes.join(", ")}` : ""}`;
  }
  if (incident.state === "suppressed") return incident.reason;
  if (incident.hold) return `held: ${incident.hold.reason}`;
  const running = incident.attempts.at(-1);
  if (running && running.ended_at === null) return `${words(incident.cause)}; ${running.fix} is under way`;
  return incident.reason || `${words(incident.cause)}: ${incident.sign}`;
}

// Where the cause may lie, by what, and what there was nothing of.
function lookedAt(ranking) {
  if (!ranking) return [];
  const suspects = ranking.suspects.filter((one) => one.probability >= 0.05);
  const told = [...suspects.map((one) => `${one.agent} ${Math.round(one.probability * 100)} %`), ...(ranking.none >= 0.05 ? [`none of them ${Math.round(ranking.none * 100)} %`] : [])];
  const why = suspects.length ? Object.entries(suspects[0].evidence).map(([channel, words]) => `${channel}: ${words}`) : [];
  const lacking = Object.entries(ranking.missing).map(([channel, words]) => `${channel} (${words})`);
  return [["where", [told.join(", "), ...why].join("; ")], ["looked at", `by ${ranking.used.join(", ") || "nothing"}`], ["lacking", lacking.join("; ")]].filter(([, text]) => text);
}

function storyOf(incident) {
  const lines = stories.get(incident.id) || [];
  const line = (mark, title, text) => h("li", {}, h("span", { class: "offset", title }, mark), h("span", {}, text));
  return h("ol", { class: "story" }, ...lines.map((one) => line(`+${one.offset_s.toFixed(3)} s`, one.at, one.text)),
    ...lookedAt(rankings.get(incident.id)).map(([label, text]) => line(label, "", text)));
}

function truthOf(incident) {
  const label = incident.label, causes = incident.causes.filter((one) => one.probability >= 0.05);
  if (label) return h("p", { class: "truth" }, `Cause: ${label.right ? "right" : label.cause ? `it was ${words(label.cause)}` : "wrong"}, says ${label.by}.`);
  if (!causes.length || incident.merged_into || !mayControl || heardAt !== null) return null;
  const others = causes.slice(1, 4).map((one) => verdict(incident, `It was: ${words(one.cause)}`, { cause: one.cause, agent: one.agent }));
  return h("div", { class: "buttons truth" }, h("span", {}, `Cause: ${words(causes[0].cause)}?`), verdict(incident, "Right", { right: true }), verdict(incident, "Wrong", { right: false }), ...others);
}

// The one of the past that looked most like it: what helped then is what a person would ask first.
function seenBefore(incident) {
  const one = incident.similar[0];
  if (!one) return null;
  const cause = one.cause ? words(one.cause) : "not what was thought", took = one.recovery_seconds === null ? "" : ` after ${span(one.recovery_seconds)}`;
  return h("p", { class: "truth", title: one.common.join("; ") }, `Seen before: ${one.incident}, `, age(one.at, " ago"), `: ${cause}, ${one.fix || "no fix"} helped${took}.`);
}

function incidentItem(incident) {
  const details = h("details", {},
    h("summary", { "data-focus": "summary" }, stateOf(incident.state), h("b", {}, incident.agents.join(", ")),
      h("span", { class: "when" }, `${incident.severity}, `, age(incident.opened_at, " ago")), h("span", { class: "what" }, headline(incident))),
    truthOf(incident), seenBefore(incident), storyOf(incident));
  details.open = isOpened(incident);
  details.addEventListener("toggle", () => {
    opened.set(incident.id, details.open);
    if (details.open) readStory(incident.id).then(() => details.querySelector(".story").replaceWith(storyOf(incident)));
  });
  return h("li", {}, details);
}

const isOpened = (incident) => opened.has(incident.id) ? opened.get(incident.id) : !isOver(incident);

async function showIncidents(incidents, questions) {
  const told = incidents.filter(isOpened).slice(0, 10);
  await Promise.all(told.map((incident) => readStory(incident.id)));
  const items = incidents.map((incident) => ({ ...incident, lines: stories.get(incident.id)?.length || 0 }));
  sync($("incidents"), items, (incident) => incident.id, incidentItem);
  $("no-incidents").hidden = incidents.length > 0;
  showAttention([...incidents, ...questions]);
}

const buttons = (incident) => h("div", { class: "buttons" }, decision(incident, "approve", "primary"), decision(incident, "reject", null));

// Who reads without a token decides on the daemon's machine.
const commands = (incident) => h("p", {}, h("code", {}, `selfheal approve ${incident.id}`), " or ", h("code", {}, `selfheal reject ${incident.id}`), " decides.");

function showAttention(incidents) {
  const asking = incidents.filter((one) => one.state === "waiting_approval" || one.state === "escalated");
  sync($("attention").querySelector("ul"), asking, (incident) => incident.id, (incident) => {
    if (incident.state === "escalated") {
      return h("li", { class: "card", "data-urgent": "yes" }, h("p", {}, h("b", {}, incident.agent), ` cannot be healed: ${incident.reason || incident.sign}`), seenBefore(incident));
    }
    const asked = incident.approval;
    const question = h("p", {}, "May ", h("b", {}, asked.fix), " be applied to ", h("b", {}, asked.agent), `? It is ${words(incident.cause)}. No answer by ${new Date(asked.expires_at).toLocaleTimeString()} means no.`);
    return h("li", { class: "card" }, question, mayControl ? buttons(incident) : commands(incident));
  });
  $("attention").hidden = asking.length === 0;
}

function showPredictions(predictions) {
  sync($("predictions"), predictions.map((one) => ({ ...one, eta_seconds: 0, eta_low: 0, eta_high: 0 })), (one) => `${one.agent} ${one.mode}`, (one) => h("li", {},
    h("span", { class: one.high_risk ? "risk high" : "risk" }, chance(one.probability)), " ", h("b", {}, one.agent), ` ${words(one.mode)}`,
    h("p", {}, `around ${new Date(one.expected_at).toLocaleTimeString()}: ${one.contributions.map((part) => `${part.signal}: ${part.what}`).join("; ") || one.signal}`),
    one.work ? h("p", {}, `${one.work} ${["doing", "verifying"].includes(one.work_state) ? "is being done" : `is planned for ${new Date(one.work_due_at).toLocaleTimeString()}`}`) : null));
  $("no-predictions").hidden = predictions.length > 0;
}

function showWork(maintenance) {
  const { items, totals } = maintenance;
  sync($("work"), items.slice(0, 6), (one) => one.id, (one) => h("li", {},
    stateOf(one.state), " ", h("b", {}, one.agent), ` ${words(one.action)} `, h("span", { class: "when" }, whenOf(one)),
    h("p", {}, one.done_at ? [one.why, one.how, one.output].filter(Boolean).join("; ") : [one.why, one.how, one.hold ? `held: ${one.hold}` : one.timing].filter(Boolean).join("; "))));
  $("no-work").hidden = items.length > 0;
  $("worth").textContent = worthOf(totals);
  $("worth").hidden = !$("worth").textContent;
}

const clockOf = (time) => new Date(time).toLocaleTimeString();
const whenOf = (one) => one.done_at ? clockOf(one.done_at) : one.begun_at ? `since ${clockOf(one.begun_at)}` : `at ${clockOf(one.due_at)}`;

function worthOf({ averted, came_all_the_same: came, worth }) {
  if (!averted && !came) return "";
  const counted = `${averted} acted on in time, ${came} came all the same.`;
  if (worth.would_have_failed === null) return counted;
  const [would, low, high] = [worth.would_have_failed, worth.low, worth.high].map(Math.round);
  return `${counted} Of ${worth.acted} that might have been left alone an estimated ${would} (${low}\u2013${high}) would have failed, by what became of ${worth.left} left alone.`;
}

// Work that waits for a person stands where incidents do that wait for one.
const questionsOf = (works) => works.filter((one) => one.state === "waiting_approval").map((one) => ({
  id: one.id, state: one.state, cause: one.mode ?? "unknown", approval: { fix: one.action, agent: one.agent, expires_at: one.until } }));
function amount(unit, value) {
  if (value === null) return "–";
  const plain = (number) => Number(number.toPrecision(3)).toString();
  const bytes = (size) => size >= 1e9 ? `${plain(size / 1e9)} GB` : size >= 1e6 ? `${plain(size / 1e6)} MB` : size >= 1e3 ? `${plain(size / 1e3)} kB` : `${plain(size)} B`;
  switch (unit) {
    case "s": return value >= 1 ? `${plain(value)} s` : `${plain(value * 1000)} ms`;
    case "bytes": return bytes(value);
    case "bytes/s": return `${bytes(value)}/s`;
    case "share": return `${plain(value * 100)} %`;
    case "cores": return `${plain(value)} cores`;
    case "/s": return `${plain(value)}/s`;
    default: return plain(value);
  }
}

const movedTo = (one) => `${one.signal} ${one.direction === "up" ? "↑" : "↓"} ${amount(one.unit, one.value)}, usually ${amount(one.unit, one.expected)}`;

function spurn(anomaly) {
  if (!mayControl || heardAt !== null) return null;
  const [verb, label] = anomaly.dismissed ? ["restore", "Worth it after all"] : ["dismiss", "Not worth it"];
  const button = h("button", { type: "button", "data-focus": verb, "aria-label": `${label}: ${anomaly.id} of ${anomaly.agent}` }, label);
  button.addEventListener("click", () => order(`/control/anomalies/${encodeURIComponent(anomaly.id)}/${verb}`, button));
  return h("div", { class: "buttons" }, button);
}

function anomalyItem(anomaly) {
  const rest = anomaly.signals.filter((one) => one.agent !== anomaly.agent || one.signal !== anomaly.signal);
  const near = anomaly.near.map((one) => `${one.agent} ${one.signal}${one.why ? ` (${one.why})` : ` (${one.anomaly})`}`);
  const end = anomaly.over_at ? h("span", {}, ", as usual again for ", age(anomaly.over_at)) : null;
  const line = (one) => h("li", {}, h("b", {}, one.agent), ` ${movedTo(one)}`, one.over_at ? " – as usual again" : "");
  const more = rest.length + anomaly.more;
  return h("li", { "data-quiet": anomaly.over_at || anomaly.dismissed ? "yes" : "no" },
    h("span", { class: anomaly.level === "high" ? "risk high" : "risk", title: `severity ${anomaly.severity.toFixed(2)} of 1` }, anomaly.level), " ",
    h("b", {}, anomaly.agents.join(", ")), " ", h("span", { class: "when" }, age(anomaly.since, " ago"), end),
    h("p", {}, `${anomaly.agent}: ${movedTo(anomaly)}`),
    more ? h("details", {}, h("summary", { "data-focus": "more" }, `${more} more signal${more === 1 ? "" : "s"}`), h("ul", {}, ...rest.map(line))) : null,
    near.length ? h("p", {}, `Near it: ${near.join(", ")}`) : null,
    anomaly.dismissed ? h("p", {}, `Not worth it, says ${anomaly.dismissed_by}.`) : null,
    spurn(anomaly));
}

// What lasts, and what was over within the hour: the rest is in the API.
function showAnomalies(anomalies) {
  const lately = anomalies.filter((one) => !one.over_at || ageOf(one.over_at) < 3600).slice(0, ANOMALIES);
  sync($("anomalies"), lately.map((one) => ({ ...one, severity: Math.round(one.severity * 20) / 20 })), (one) => one.id, anomalyItem);
  $("no-anomalies").hidden = lately.length > 0;
}

function showAlerts(alerts) {
  sync($("alerts"), alerts.slice(0, 8), (one) => `${one.key} ${one.at}`, (one) => h("li", {},
    stateOf(one.resolved ? "resolved" : one.severity), " ", h("b", {}, one.title), " ", h("span", { class: "when" }, age(one.at, " ago")), h("p", {}, one.text)));
  $("no-alerts").hidden = alerts.length > 0;
}

// --- reading ---------------------------------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  const unheard = answer.headers.get("X-Selfheal-Age"); // said by a gateway: seconds since it heard of the daemon
  heardAt = unheard === null ? null : Date.now() - 1000 * Number(unheard);
  if (answer.status === 401) { location.assign("/login"); throw new Error("the login has ended"); }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function readStory(id) {
  const incident = await ask(`/observability/incidents/${encodeURIComponent(id)}`);
  stories.set(id, incident.story);
  rankings.set(id, incident.ranking);
}

let reading = false;
let again = false;
let agentsNow = [];

async function read() {
  if (reading) { again = true; return; }
  reading = true;
  try {
    const [summary, agents, incidents, predictions, maintenance, anomalies] = await Promise.all([
      ask("/observability/summary"), ask("/observability/agents?limit=1000"),
      ask(`/observability/incidents?limit=${INCIDENTS}`), ask("/observability/predictions?limit=20"),
      ask("/observability/maintenance?limit=50"), ask("/observability/anomalies?limit=30"),
    ]);
    skew = Date.parse(summary.at) - Date.now();
    agentsNow = agents.items;
    showVerdict(summary);
    showFigures(summary);
    showAgents(agentsNow);
    showPredictions(predictions.items);
    showWork(maintenance);
    showAnomalies(anomalies.items);
    showAlerts(summary.alerts);
    await showIncidents(incidents.items, questionsOf(maintenance.items));
    answered = true;
    found();
  } catch (why) {
    lost();
  } finally {
    reading = false;
    if (again) { again = false; readSoon(); }
  }
}

function readSoon() {
  if (readSoon.timer) return;
  readSoon.timer = setTimeout(() => { readSoon.timer = null; read(); }, GATHER);
}

// --- the stream ------------------------------------------------------------------------------------------------------

let lostAt = null;
let heardAt = null; // when the gateway heard of the daemon; null where the daemon itself answers

function lost() {
  if (lostAt === null) lostAt = Date.now();
}

function found() {
  lostAt = null;
  tell();
}

function listen() {
  const stream = new EventSource("/observability/events");
  stream.onopen = readSoon;
  stream.onmessage = readSoon;
  stream.addEventListener("gap", readSoon);
  stream.onerror = () => {
    lost();
    readSoon(); // what can be read is not old, stream or no stream; and it shows whether the login has ended
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, STALE_AFTER); // refused: no browser tries again
  };
}

function tick() {
  for (const time of document.querySelectorAll("time")) {
    const text = span(ageOf(time.dateTime)) + time.dataset.suffix;
    if (time.textContent !== text) time.textContent = text;
  }
  tell();
}

// How old what stands here is, where that is worth a word.
function old() {
  if (lostAt !== null && Date.now() - lostAt > STALE_AFTER) {
    const since = new Date(lostAt).toLocaleTimeString();
    return answered ? `The daemon was last heard at ${since}. What stands here may be old; trying again.` : "The daemon does not answer; trying again.";
  }
  if (heardAt !== null && Date.now() - heardAt > UNHEARD_AFTER) {
    return `As of ${span((Date.now() - heardAt) / 1000)} ago: this gateway has heard nothing of the daemon since.`;
  }
  return "";
}

function tell() {
  const text = old();
  if (text && $("stale").textContent !== text) $("stale").textContent = text;
  if (!text && lostAt !== null) return; // it is not known yet
  $("stale").hidden = !text;
}

// --- the reader's hands ----------------------------------------------------------------------------------------------

$("login").hidden = document.body.dataset.login !== "yes";
$("switch").addEventListener("click", (event) => order(`/control/${event.target.dataset.order}`, event.target, { agent: null }));
$("filter").addEventListener("input", () => showAgents(agentsNow));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && document.activeElement !== $("filter")) {
    event.preventDefault();
    $("filter").focus();
  }
  if (event.key === "Escape" && document.activeElement === $("filter")) {
    $("filter").value = "";
    showAgents(agentsNow);
    $("filter").blur();
  }
});

read();
listen();
setInterval(tick, 1000);
setInterval(() => { if (!document.hidden) readSoon(); }, AT_LEAST_EVERY);
