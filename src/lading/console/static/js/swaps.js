// How fragments get into the page: in their places, never under the hands of who uses them.
import {notice} from './notices.js';

const OPEN = 'dialog[open], details[data-menu][open]' + (globalThis.CSS?.supports('selector(:popover-open)') ? ', :popover-open' : '');
const TEXT = 'input:not([type=checkbox], [type=radio], [type=hidden], [type=submit], [type=button]), textarea';
const held = new Map();

function changed(field) {
  if (!field.matches('select')) return field.value !== field.defaultValue;
  const options = [...field.options];
  if (field.multiple) return options.some(option => option.selected !== option.defaultSelected);
  return field.selectedIndex !== Math.max(0, options.findLastIndex(option => option.defaultSelected));
}

// Whether someone is at work in this element: a menu or dialog is open, a field is being edited.
function busy(target) {
  if (target.closest(OPEN) || target.querySelector(OPEN)) return true;
  const fields = [...target.querySelectorAll(`${TEXT}, select`)];
  return fields.some(field => field === document.activeElement || changed(field));
}

// Put fragments (`<hx-partial>`) in their places; those that would disturb wait.
export function apply(html) {
  return htmx.swap({text: html, sourceElement: document.body, target: document.body, swap: 'none', live: true});
}

const partial = (id, html) => `<hx-partial hx-target="#${CSS.escape(id)}" hx-swap="outerMorph">${html}</hx-partial>`;

document.addEventListener('htmx:before:swap', ({detail: {ctx, tasks}}) => {
  if (!ctx.live) return;
  for (const task of [...tasks]) {
    if (!task.target?.id) continue;
    held.delete(task.target.id);
    if (!busy(task.target)) continue;
    const text = document.createElement('div');
    text.append(task.fragment.cloneNode(true));
    held.set(task.target.id, text.innerHTML);
    tasks.splice(tasks.indexOf(task), 1);
  }
});

function release() {
  setTimeout(() => {
    if (!held.size) return;
    const html = [...held].map(([id, text]) => partial(id, text)).join('');
    held.clear();
    apply(html);
  });
}
for (const event of ['focusout', 'close', 'toggle', 'change', 'reset']) document.addEventListener(event, release, true);

// Read the page again and put its live parts in place. Answers the page, or null if signed out.
export async function refresh() {
  const answer = await fetch(location.href, {headers: {Accept: 'text/html'}, cache: 'no-store'});
  if (answer.status === 401 || new URL(answer.url).pathname === '/sign-in') return null;
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const parts = [...document.querySelectorAll('[data-live][id]')].filter(part => !part.parentElement.closest('[data-live][id]'));
  if (!parts.some(part => part.closest('main'))) parts.push(...document.querySelectorAll('main[id]'));
  const fresh = parts.map(part => page.getElementById(part.id)).filter(Boolean);
  await apply(fresh.map(part => partial(part.id, part.outerHTML)).join(''));
  return page;
}

document.addEventListener('htmx:config:request', ({detail: {ctx}}) => {
  if (ctx.request.method !== 'GET') ctx.request.headers['X-CSRF-Token'] = document.body.dataset.csrf;
});
document.addEventListener('htmx:response:error', ({detail: {ctx}}) => {
  if (ctx.response.status === 401) document.dispatchEvent(new CustomEvent('lading:signed-out'));
  else if (ctx.response.status !== 422) notice(`The server answered ${ctx.response.status}; nothing was changed here. Load the page again.`);
});

// Who pressed something that is gone now is taken to what came of it.
let had = null;
document.addEventListener('htmx:before:swap', () => { had = document.activeElement; });
document.addEventListener('htmx:after:swap', () => {
  if (!had || had === document.body || had.isConnected || document.activeElement !== document.body) return;
  const heading = document.querySelector('[data-result], main h1');
  heading?.setAttribute('tabindex', '-1');
  heading?.focus();
});
